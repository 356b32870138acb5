"""Activation functions and their derivatives."""

from collections.abc import Callable, Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

RANGE = 4.0  # inputs from -RANGE to RANGE


def curves(functions: Mapping[str, Callable[[Tensor], Tensor]], columns: int = 3) -> Figure:
    """A panel per function: the function and its derivative, computed by autograd."""
    rows = -(-len(functions) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).flatten()
    for panel in panels[len(functions) :]:
        panel.set_visible(False)
    for panel, (name, function) in zip(panels, functions.items(), strict=False):
        x = torch.linspace(-RANGE, RANGE, 400, requires_grad=True)
        y = function(x)
        (derivative,) = torch.autograd.grad(y.sum(), x)
        panel.axhline(0, color="0.8", linewidth=0.8)
        panel.axvline(0, color="0.8", linewidth=0.8)
        panel.plot(x.detach(), y.detach(), label="function")
        panel.plot(x.detach(), derivative, "--", label="derivative")
        panel.set_title(name)
    panels[0].legend(frameon=False)
    return figure
