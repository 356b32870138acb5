"""Perceptron (Rosenblatt, 1958): one linear threshold unit."""

from math import prod

from torch import Tensor, nn


class Perceptron(nn.Module):
    """Flatten, then one linear unit; the class is 1 where its output is positive. Weights are initialized to zero."""

    def __init__(self, shape: list[int], num_classes: int) -> None:
        super().__init__()
        if num_classes != 2:
            raise ValueError(f"a perceptron separates 2 classes, not {num_classes}; use model=mlp")
        self.unit = nn.Linear(prod(shape), 1)
        nn.init.zeros_(self.unit.weight)
        nn.init.zeros_(self.unit.bias)

    def forward(self, x: Tensor) -> Tensor:  # (B, *shape) -> (B, 1)
        return self.unit(x.flatten(1))
