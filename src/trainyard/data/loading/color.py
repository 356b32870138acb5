"""Operations on the colors and edges of whole batches of images in [0, 1], each sample with a factor of its own.

Those of Pillow and torchvision, of which they return the same; (B, C, H, W), (B) -> (B, C, H, W).
"""

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from trainyard.data.loading.hashing import uniform

GRAY = (0.2989, 0.587, 0.114)
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def column(factor: Tensor) -> Tensor:  # (B) -> (B, 1, 1, 1)
    """A number for each sample, to be combined with its pixels."""
    return factor[:, None, None, None]


def gray(x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 1, H, W)
    """The luminance; of images without three channels their mean."""
    if x.shape[1] != 3:
        return x.mean(dim=1, keepdim=True)
    return (x * torch.tensor(GRAY, device=x.device).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """The factor 1 is `x`, 0 the other; above 1 away from it."""
    return (column(factor) * x + column(1 - factor) * other).clamp(0, 1)


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """0 is black."""
    return blend(x, torch.zeros_like(x), factor)


def saturation(x: Tensor, factor: Tensor) -> Tensor:
    """0 is gray."""
    return blend(x, gray(x), factor)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """0 is the mean luminance."""
    return blend(x, gray(x).mean(dim=(2, 3), keepdim=True), factor)


def sharpness(x: Tensor, factor: Tensor) -> Tensor:
    """0 is blurred; the outermost pixels stay."""
    kernel = torch.ones(3, 3, device=x.device, dtype=x.dtype)
    kernel[1, 1] = 5
    kernel = (kernel / 13).expand(x.shape[1], 1, 3, 3)
    blurred = x.clone()
    blurred[:, :, 1:-1, 1:-1] = F.conv2d(x, kernel, groups=x.shape[1])
    return blend(x, blurred, factor)


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """Keep so many bits of each pixel."""
    step = column(2 ** (8 - bits.round()))
    return ((255 * x).round() / step).floor() * step / 255


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """Invert what is at least as bright as the threshold."""
    return torch.where(x >= column(threshold), 1 - x, x)


def autocontrast(x: Tensor, _: Tensor) -> Tensor:
    """Stretch each channel to [0, 1]."""
    low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)


def equalize(x: Tensor, _: Tensor) -> Tensor:
    """Make the histogram of each channel as flat as 256 values allow."""
    levels = (255 * x).round().long().flatten(2)  # (B, C, H * W)
    counts = torch.zeros(*levels.shape[:2], 256, device=x.device, dtype=torch.long)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    brightest = counts.gather(2, levels.amax(dim=2, keepdim=True))
    step = torch.div(levels.shape[2] - brightest, 255, rounding_mode="floor")  # (B, C, 1)
    below = counts.cumsum(dim=2) - counts + torch.div(step, 2, rounding_mode="floor")
    table = torch.div(below, step.clamp(min=1), rounding_mode="floor").clamp(0, 255)
    return torch.where(step > 0, table.gather(2, levels).float() / 255, x.flatten(2)).view_as(x)


def hue(x: Tensor, turn: Tensor) -> Tensor:
    """Turn the colors by so many full circles, in the plane of YIQ; images without three channels stay."""
    if x.shape[1] != 3:
        return x
    to_yiq = torch.tensor(YIQ, device=x.device)
    cos, sin, one, none = (2 * pi * turn).cos(), (2 * pi * turn).sin(), torch.ones_like(turn), torch.zeros_like(turn)
    rotation = torch.stack([one, none, none, none, cos, -sin, none, sin, cos], dim=1).view(-1, 3, 3)
    return torch.einsum("bij,bjhw->bihw", torch.linalg.inv(to_yiq) @ rotation @ to_yiq, x).clamp(0, 1)


def jitter(
    x: Tensor, keys: Tensor, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4, hue: float = 0.1
) -> Tensor:  # (B, C, H, W), (B) -> (B, C, H, W)
    """Change brightness, contrast and saturation by factors from 1 - each to 1 + each, and turn the hue."""
    extents = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    if min(extents.values()) < 0 or not 0 <= hue <= 0.5:
        raise ValueError(f"{extents} must not be negative, and hue={hue} from 0 to 0.5")
    for name, extent in extents.items():
        if extent:
            x = JITTERED[name](x, uniform(keys, f"jitter {name}", max(0.0, 1 - extent), 1 + extent))
    return JITTERED["hue"](x, uniform(keys, "jitter hue", -hue, hue)) if hue else x


JITTERED = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
