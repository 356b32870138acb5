"""The decision boundary of a network that classifies points in the plane."""

from collections.abc import Callable

import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from trainyard.figures.style import COLORS, NEUTRAL, panels

CELLS = 200  # of the grid, in each direction
MARGIN = 0.5  # around the points


def boundary(probability: Callable[[Tensor], Tensor], points: Tensor, labels: Tensor) -> Figure:  # (N, 2), (N)
    """The probability of class 1 (a function of (B, 2) -> (B)) in the plane, its level 0.5, and the points."""
    low, high = points.amin(0) - MARGIN, points.amax(0) + MARGIN
    x, y = (torch.linspace(float(low[i]), float(high[i]), CELLS) for i in (0, 1))
    grid = torch.cartesian_prod(x, y)
    level = probability(grid).reshape(CELLS, CELLS).T.numpy()  # rows: y
    x, y = x.numpy(), y.numpy()
    figure, (panel,) = panels(1, width=4.6, height=4.0)
    colors = LinearSegmentedColormap.from_list("classes", [COLORS[0], "#bfbfbf", COLORS[1]])
    image = panel.pcolormesh(x, y, level, cmap=colors, vmin=0, vmax=1, alpha=0.75, rasterized=True)
    if level.min() < 0.5 < level.max():
        panel.contour(x, y, level, levels=[0.5], colors=[NEUTRAL], linewidths=2)
    for label in (0, 1):
        shown = points[labels == label].numpy()
        panel.scatter(
            shown[:, 0], shown[:, 1], color=COLORS[label], edgecolors="white", linewidths=1.2, s=60, zorder=3,
            label=f"class {label}", marker="os"[label],
        )  # fmt: skip
    bar = figure.colorbar(image, ax=panel, shrink=0.8)
    bar.ax.tick_params(colors=NEUTRAL, labelsize=8)
    bar.set_label("probability of class 1", color=NEUTRAL, fontsize=8)
    panel.grid(visible=False)
    panel.set_aspect("equal")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8, labelcolor=NEUTRAL)
    return figure
