"""Multi-layer perceptron (Rumelhart, Hinton & Williams, 1986)."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from trainyard.models.activations import activation as make_activation
from trainyard.models.heads import num_logits
from trainyard.models.init import initialize


class MLP(nn.Module):
    """Flatten, then a hidden layer for each of `widths`, then a linear head."""

    def __init__(
        self, shape: list[int], num_classes: int, widths: list[int], activation: str = "relu", init: str = "torch"
    ) -> None:
        super().__init__()
        if any(width < 1 for width in widths):
            raise ValueError(f"widths={list(widths)}: every hidden layer needs at least 1 unit")
        sizes = [prod(shape), *widths]
        hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), make_activation(activation))]
        self.body = nn.Sequential(nn.Flatten(), *hidden)
        self.head = nn.Linear(sizes[-1], num_logits(num_classes))
        initialize(self, init)

    def forward(self, x: Tensor) -> Tensor:  # (B, *shape) -> (B, num_logits)
        return self.head(self.body(x))
