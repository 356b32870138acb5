"""The plane around some points, and a network's probabilities in it. (Without matplotlib, whose import takes long.)"""

from collections.abc import Callable

import torch
from torch import Tensor

MARGIN = 0.5  # around the points


def corners(points: Tensor) -> tuple[Tensor, Tensor]:  # (N, 2) -> (2), (2)
    """The lower left and the upper right corner of the part of the plane that is shown."""
    return points.amin(0) - MARGIN, points.amax(0) + MARGIN


def axes_of(points: Tensor, cells: int) -> tuple[Tensor, Tensor]:  # (N, 2) -> (cells), (cells)
    """The x and the y of a grid around the points."""
    low, high = corners(points)
    x, y = (torch.linspace(float(low[i]), float(high[i]), cells) for i in (0, 1))
    return x, y


def probabilities(
    probability: Callable[[Tensor], Tensor], points: Tensor, cells: int
) -> Tensor:  # (N, 2) -> (cells, cells)
    """A function of points (B, 2) -> (B) on the grid around some others; rows: y, upwards."""
    return probability(torch.cartesian_prod(*axes_of(points, cells))).reshape(cells, cells).T
