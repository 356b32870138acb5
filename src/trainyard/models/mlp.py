"""Multi-layer perceptron (Rumelhart, Hinton & Williams, 1986)."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from trainyard.models.layers.activations import activation as make_activation
from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize


class MLP(nn.Module):
    """Flatten, a hidden layer for each of `widths` (linear, optional batch norm, activation, dropout), a head.

    `dropout` is one rate for all hidden layers, or a list with a rate for each.
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        widths: list[int],
        activation: str = "relu",
        dropout: float | list[float] = 0.0,
        batch_norm: bool = False,
        init: str = "torch",
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        if any(width < 1 for width in widths):
            raise ValueError(f"widths={list(widths)}: every hidden layer needs at least 1 unit")
        rates = [dropout] * len(widths) if isinstance(dropout, int | float) else list(dropout)
        if len(rates) != len(widths):
            raise ValueError(f"dropout={rates} must have a rate for each of widths={list(widths)}, or be one number")
        sizes = [prod(shape), *widths]
        layers: list[nn.Module] = [nn.Flatten()]
        for (inputs, outputs), rate in zip(pairwise(sizes), rates, strict=True):
            layers += [nn.Linear(inputs, outputs), *([nn.BatchNorm1d(outputs)] if batch_norm else [])]
            layers += [make_activation(activation), *([nn.Dropout(check_probability("dropout", rate))] if rate else [])]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(sizes[-1], num_logits(num_classes, num_outputs))
        initialize(self, init)

    def forward(self, x: Tensor) -> Tensor:  # (B, *shape) -> (B, num_logits)
        return self.head(self.body(x))
