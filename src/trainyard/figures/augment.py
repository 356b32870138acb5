"""Augmented training images."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torchvision.utils import make_grid


def augmented(
    pixels: Callable[[Tensor, Any], Tensor], images: Tensor, draws: Iterable[Any], columns: int = 0
) -> Tensor:  # (B, C, H, W) uint8 -> (3, height, width) in [0, 1]
    """A row per image: as it is (`pixels` with None), then with each of the draws; or `columns` in each row."""
    versions = [pixels(images, None), *(pixels(images, draw) for draw in draws)]
    rows = torch.stack(versions, dim=1).flatten(0, 1)
    low, high = versions[0].amin(dim=(0, 2, 3)), versions[0].amax(dim=(0, 2, 3))
    shown = (rows - low[:, None, None]) / (high - low)[:, None, None]
    return make_grid(shown.clamp(0, 1), nrow=columns or len(versions))
