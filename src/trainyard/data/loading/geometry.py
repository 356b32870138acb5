"""Flips, crops and other changes of where pixels are, on whole batches; each sample has its own random draws."""

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from trainyard.data.loading.hashing import uniform


def flip(x: Tensor, keys: Tensor) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Flip horizontally with probability 1/2."""
    return mirrored(x, uniform(keys, "flip") < 0.5)


def mirrored(x: Tensor, chosen: Tensor) -> Tensor:  # (B, C, H, W), (B) bool -> (B, C, H, W)
    """The images, the chosen ones flipped."""
    if x.device.type != "cpu":  # which would be waited for
        return torch.where(chosen[:, None, None, None], x.flip(-1), x)
    rows = chosen.nonzero().flatten()
    return x.index_copy(0, rows, x.index_select(0, rows).flip(-1))


def crop(x: Tensor, keys: Tensor, padding: float = 1 / 8) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Pad all sides by `padding` times the height, by reflection, then crop to the original size at a random place."""
    _, channels, height, width = x.shape
    pad = max(1, round(padding * height))
    padded = F.pad(x, (pad, pad, pad, pad), mode="reflect")
    top, left = (uniform(keys, f"crop {side}", 0, 2 * pad + 1).long() for side in ("top", "left"))
    if x.device.type == "cpu":
        corners = zip(padded, top.tolist(), left.tolist(), strict=True)
        return torch.stack([image[:, row : row + height, column : column + width] for image, row, column in corners])
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


def alternating_flip(x: Tensor, turns: Tensor) -> Tensor:  # (B, C, H, W), (B) bool -> (B, C, H, W)
    """Flip horizontally in every second epoch, half of the samples in the even ones (Jordan, 2024)."""
    return mirrored(x, turns)


def resized_crop(
    x: Tensor, keys: Tensor, smallest: float = 0.25, aspect: float = 4 / 3
) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Enlarge a random part of the image (Szegedy et al., 2015), by bilinear interpolation.

    Its area is from `smallest` to 1 times that of the image; its sides change by up to `aspect`, cut to the image.
    """
    if not 0 < smallest <= 1 or aspect < 1:
        raise ValueError(f"smallest={smallest} must be in (0, 1], and aspect={aspect} at least 1")
    area = uniform(keys, "resized crop area", smallest, 1)
    ratio = uniform(keys, "resized crop aspect", -log(aspect), log(aspect)).exp()
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    right, down = (
        (1 - size) * uniform(keys, f"resized crop {axis}", -1, 1) for axis, size in (("x", width), ("y", height))
    )
    none = torch.zeros_like(width)
    theta = torch.stack((torch.stack((width, none, right), dim=1), torch.stack((none, height, down), dim=1)), dim=1)
    grid = F.affine_grid(theta.to(x.dtype), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def erasing(
    x: Tensor, keys: Tensor, probability: float = 0.5, largest: float = 0.33, aspect: float = 3.3
) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Set a random rectangle to zero, with some probability (Zhong et al., 2020).

    Its area is from 0.02 to `largest` times that of the image, its sides differ by up to `aspect`.
    """
    if not 0 <= probability <= 1 or not 0.02 <= largest <= 1 or aspect < 1:
        raise ValueError(
            f"probability={probability} must be in [0, 1], largest={largest} in [0.02, 1], aspect={aspect} at least 1"
        )
    area = uniform(keys, "erasing area", 0.02, largest)
    ratio = uniform(keys, "erasing aspect", -log(aspect), log(aspect)).exp()
    inside = []
    for axis, size in (("row", (area * ratio).sqrt()), ("column", (area / ratio).sqrt())):
        length = x.shape[2 if axis == "row" else 3]
        extent = (size.clamp(max=1) * length).round()
        first = (uniform(keys, f"erasing {axis}") * (length - extent + 1)).floor()
        place = torch.arange(length, device=x.device)
        inside.append((place >= first[:, None]) & (place < (first + extent)[:, None]))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    is_erased = uniform(keys, "erasing") < probability
    return x.masked_fill(hole & is_erased[:, None, None, None], 0.0)
