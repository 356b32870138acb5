"""Checks of explanations: deletion curves (Petsiuk et al., 2018), randomized weights (Adebayo et al., 2018)."""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

POINTS = 20  # of a deletion curve
ORDERS = 10  # random ones


class Checks(NamedTuple):
    """What the checks of one explanation found."""

    deletion: float  # area under the class's probability while the most important parts are deleted first
    random: float  # the same in random orders, their mean
    correlation: float  # of the values with those of a network of shuffled weights

    def __str__(self) -> str:
        better = "faster" if self.deletion < self.random else "not faster"
        return (
            f"deletion: area under the curve {self.deletion:.3f}, {self.random:.3f} in random order: {better} than "
            f"chance; shuffled weights: rank correlation {self.correlation:+.2f}"
        )


def deletion_area(probability: Callable[[Tensor], Tensor], order: Tensor, points: int = POINTS) -> float:
    """Area under the probability of a class while the parts of an input are deleted in the `order` (N).

    `probability` maps rows of which parts are kept, (B, N) bool, to (B). The curve goes from nothing deleted, 0, to
    all, 1.
    """
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    deleted = torch.linspace(0, len(order), min(points, len(order)) + 1, device=order.device).round()
    curve = probability(rank >= deleted[:, None]).double()
    return float(torch.trapezoid(curve, deleted.double() / len(order)))


def deletion_areas(probability: Callable[[Tensor], Tensor], values: Tensor) -> tuple[float, float]:
    """The areas with the most important of `values` (N) deleted first, and the mean of random orders."""
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(values), generator=generator).to(values.device) for _ in range(ORDERS)]
    first = orders[0][values[orders[0]].argsort(descending=True, stable=True)]  # equal ones in random order
    chance = [deletion_area(probability, order) for order in orders]
    return deletion_area(probability, first), sum(chance) / len(chance)


def shuffled(net: nn.Module, seed: int = 0) -> nn.Module:
    """A copy of the network in which the entries of each weight tensor are in random order."""
    net, generator = deepcopy(net), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in net.parameters():
            flat = weight.flatten()
            weight.copy_(flat[torch.randperm(len(flat), generator=generator).to(flat.device)].view_as(weight))
    return net


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's; equal values share their mean rank. 0 where all values of one are equal."""
    ranks = [_ranks(values) for values in (a.flatten(), b.flatten())]
    a, b = (rank - rank.mean() for rank in ranks)
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale else 0.0


def _ranks(values: Tensor) -> Tensor:
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts.double() - 1) / 2)[place]
