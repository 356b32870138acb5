"""Augmented training images."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.utils import make_grid


def augmented(
    pixels: Callable[[Tensor, Tensor | None], Tensor], images: Tensor, keys: list[Tensor], columns: int = 0
) -> Tensor:  # (B, C, H, W) uint8, lists of (B) -> (3, height, width) in [0, 1]
    """A row per image: as it is, then transformed by `pixels` with each of the keys; or `columns` in each row."""
    versions = [pixels(images, None), *(pixels(images, key) for key in keys)]
    rows = torch.stack(versions, dim=1).flatten(0, 1)
    low, high = versions[0].amin(dim=(0, 2, 3)), versions[0].amax(dim=(0, 2, 3))
    shown = (rows - low[:, None, None]) / (high - low)[:, None, None]
    return make_grid(shown.clamp(0, 1), nrow=columns or len(versions))
