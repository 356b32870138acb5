"""Autoencoder (Hinton & Salakhutdinov, 2006): a short code for the input, and the input again from the code."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from trainyard.models.layers.activations import activation as make_activation


class Autoencoder(nn.Module):
    """Flatten, a hidden layer for each of `widths`, a linear code of `code` numbers, the same backwards."""

    def __init__(self, shape: list[int], widths: list[int], code: int, activation: str = "relu") -> None:
        super().__init__()
        if min([code, *widths]) < 1:
            raise ValueError(f"widths={list(widths)} and code={code} must be at least 1")
        sizes = [prod(shape), *widths, code]
        self.encoder = nn.Sequential(nn.Flatten(), *layers(sizes, activation))
        self.decoder = nn.Sequential(*layers(sizes[::-1], activation), nn.Unflatten(1, tuple(shape)))

    def forward(self, x: Tensor) -> Tensor:  # (B, *shape), the same
        return self.decoder(self.encoder(x))


def layers(sizes: list[int], activation: str) -> list[nn.Module]:
    """Linear layers with the activation between them."""
    found: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        found += [nn.Linear(inputs, outputs), make_activation(activation)]
    return found[:-1]
