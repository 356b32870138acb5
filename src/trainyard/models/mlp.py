"""Multi-layer perceptron (Rumelhart, Hinton & Williams, 1986)."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from trainyard.models.activations import activation as make_activation
from trainyard.models.checks import probability
from trainyard.models.heads import num_logits
from trainyard.models.init import initialize


class MLP(nn.Module):
    """Flatten, then for each of `widths` a hidden layer, batch norm if asked for, activation and dropout; then a head.

    `dropout` is a rate for each hidden layer, or one for all.
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int,
        widths: list[int],
        activation: str = "relu",
        dropout: float | list[float] = 0.0,
        batch_norm: bool = False,
        init: str = "torch",
    ) -> None:
        super().__init__()
        if any(width < 1 for width in widths):
            raise ValueError(f"widths={list(widths)}: every hidden layer needs at least 1 unit")
        rates = [dropout] * len(widths) if isinstance(dropout, int | float) else list(dropout)
        if len(rates) != len(widths):
            raise ValueError(f"dropout={rates} needs a rate for each of widths={list(widths)}, or one for all")
        sizes = [prod(shape), *widths]
        layers: list[nn.Module] = [nn.Flatten()]
        for (inputs, outputs), rate in zip(pairwise(sizes), rates, strict=True):
            layers += [nn.Linear(inputs, outputs), *([nn.BatchNorm1d(outputs)] if batch_norm else [])]
            layers += [make_activation(activation), *([nn.Dropout(probability("dropout", rate))] if rate else [])]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(sizes[-1], num_logits(num_classes))
        initialize(self, init)

    def forward(self, x: Tensor) -> Tensor:  # (B, *shape) -> (B, num_logits)
        return self.head(self.body(x))
