"""Augmentation and normalization of whole batches of images, on the device; each sample has its own random draws."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.data.loading.hashing import uniform


def flip(x: Tensor, keys: Tensor) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Flip horizontally with probability 1/2."""
    return torch.where((uniform(keys, "flip") < 0.5)[:, None, None, None], x.flip(-1), x)


def crop(x: Tensor, keys: Tensor, padding: float = 1 / 8) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Pad all sides by `padding` times the height, by reflection, then crop to the original size at a random place."""
    _, channels, height, width = x.shape
    pad = max(1, round(padding * height))
    padded = F.pad(x, (pad, pad, pad, pad), mode="reflect")
    top, left = (uniform(keys, f"crop {side}", 0, 2 * pad + 1).long() for side in ("top", "left"))
    rows = top[:, None] + torch.arange(height, device=x.device)  # (B, H)
    columns = left[:, None] + torch.arange(width, device=x.device)  # (B, W)
    batch = torch.arange(len(x), device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    return padded[batch, channel, rows[:, None, :, None], columns[:, None, None, :]]


def cutout(x: Tensor, keys: Tensor, size: float = 1 / 2) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Set a square of `size` times the height to zero, at a random place (DeVries & Taylor, 2017)."""
    _, _, height, width = x.shape
    half = size * height / 2
    rows = torch.arange(height, device=x.device) - uniform(keys, "cutout row", 0, height)[:, None]  # (B, H)
    columns = torch.arange(width, device=x.device) - uniform(keys, "cutout column", 0, width)[:, None]  # (B, W)
    hole = (rows.abs() < half)[:, None, :, None] & (columns.abs() < half)[:, None, None, :]
    return x.masked_fill(hole, 0.0)


def affine(
    x: Tensor, keys: Tensor, degrees: float = 20, shift: float = 0.2, zoom: float = 0.2
) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Rotate by up to `degrees`, shift by up to `shift` times the size, zoom by 1 - `zoom` to 1 + `zoom`.

    Bilinear interpolation; beyond the edge the nearest pixel is repeated, as in Keras.
    """
    angle = torch.deg2rad(uniform(keys, "rotation", -degrees, degrees))
    scale = uniform(keys, "zoom", 1 - zoom, 1 + zoom)
    right, down = (uniform(keys, f"shift {axis}", -2 * shift, 2 * shift) for axis in "xy")  # the image spans 2
    aspect = x.shape[2] / x.shape[3]
    cos, sin = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack(
        (torch.stack((cos, -sin * aspect, right), dim=1), torch.stack((sin / aspect, cos, down), dim=1)), dim=1
    )  # (B, 2, 3)
    grid = F.affine_grid(theta.to(x.dtype), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


Augmentation = Callable[[Tensor, Tensor], Tensor]
AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "flip": (flip,),
    "standard": (crop, flip),
    "article": (partial(affine, degrees=20, shift=0.2, zoom=0.2), flip),
    "strong": (crop, flip, cutout),
}


class Pixels(nn.Module):
    """Convert bytes to floats: divide by 255, normalize each channel and, in training, augment."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float], augment: str = "none") -> None:
        super().__init__()
        if augment not in AUGMENTATIONS:
            raise ValueError(f"augment={augment} is unknown; choose one of {', '.join(AUGMENTATIONS)}")
        if len(mean) != len(std) or min(std) <= 0:
            raise ValueError(
                f"mean={list(mean)} and std={list(std)} must have the same length, and every std must be positive"
            )
        self.augmentations = AUGMENTATIONS[augment]
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor, keys: Tensor | None = None) -> Tensor:  # (B, C, H, W) uint8 -> float32
        x = (images.float() - self.mean) / self.std
        if keys is not None:
            for augmentation in self.augmentations:
                x = augmentation(x, keys)
        return x
