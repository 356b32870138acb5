"""RandAugment, TrivialAugment and AugMix on whole batches in [0, 1]: the operation of each sample is drawn by its key.

The samples that drew an operation are computed together, each with its own magnitude.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trainyard.data.loading import color
from trainyard.data.loading.hashing import splitmix64, uniform


class Operation(NamedTuple):
    """`apply` gets images and magnitudes from 0 to 1, which are negative for half of the samples if `signed`."""

    apply: Callable[[Tensor, Tensor], Tensor]
    signed: bool = False


def warp(x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Draw from the place ((a, b), (c, d)) @ (x, y) + (right, down), in units of half the image; black beyond it."""
    theta = torch.stack((torch.stack((a, b, right), dim=1), torch.stack((c, d, down), dim=1)), dim=1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="nearest", align_corners=False)


def shear_x(x: Tensor, s: Tensor) -> Tensor:
    """Shift each row by `s` times its distance from the middle."""
    one, none = torch.ones_like(s), torch.zeros_like(s)
    return warp(x, one, s * x.shape[2] / x.shape[3], none, one, none, none)


def shear_y(x: Tensor, s: Tensor) -> Tensor:
    """Shift each column by `s` times its distance from the middle."""
    one, none = torch.ones_like(s), torch.zeros_like(s)
    return warp(x, one, none, s * x.shape[3] / x.shape[2], one, none, none)


def translate_x(x: Tensor, pixels: Tensor) -> Tensor:
    """Shift to the right by whole pixels."""
    one, none = torch.ones_like(pixels), torch.zeros_like(pixels)
    return warp(x, one, none, none, one, -2 * pixels.trunc() / x.shape[3], none)


def translate_y(x: Tensor, pixels: Tensor) -> Tensor:
    """Shift down by whole pixels."""
    one, none = torch.ones_like(pixels), torch.zeros_like(pixels)
    return warp(x, one, none, none, one, none, -2 * pixels.trunc() / x.shape[2])


def rotate(x: Tensor, degrees: Tensor) -> Tensor:
    """Turn counterclockwise."""
    cos, sin = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()
    aspect, none = x.shape[2] / x.shape[3], torch.zeros_like(cos)
    return warp(x, cos, -sin * aspect, sin / aspect, cos, none, none)


def operations(
    shear: float, shift: Callable[[int], float], degrees: float, enhance: float, bits: float
) -> dict[str, Operation]:
    """The fourteen operations of RandAugment, with their largest magnitudes.

    `shift` is the number of pixels of a width, `bits` the fewest that remain.
    """
    return {
        "identity": Operation(lambda x, m: x),
        "shear x": Operation(lambda x, m: shear_x(x, shear * m), signed=True),
        "shear y": Operation(lambda x, m: shear_y(x, shear * m), signed=True),
        "translate x": Operation(lambda x, m: translate_x(x, shift(x.shape[3]) * m), signed=True),
        "translate y": Operation(lambda x, m: translate_y(x, shift(x.shape[2]) * m), signed=True),
        "rotate": Operation(lambda x, m: rotate(x, degrees * m), signed=True),
        "brightness": Operation(lambda x, m: color.brightness(x, 1 + enhance * m), signed=True),
        "saturation": Operation(lambda x, m: color.saturation(x, 1 + enhance * m), signed=True),
        "contrast": Operation(lambda x, m: color.contrast(x, 1 + enhance * m), signed=True),
        "sharpness": Operation(lambda x, m: color.sharpness(x, 1 + enhance * m), signed=True),
        "posterize": Operation(lambda x, m: color.posterize(x, 8 - (8 - bits) * m)),
        "solarize": Operation(lambda x, m: color.solarize(x, 1 - m)),
        "autocontrast": Operation(color.autocontrast),
        "equalize": Operation(color.equalize),
    }


RAND = operations(shear=0.3, shift=lambda size: 150 / 331 * size, degrees=30, enhance=0.9, bits=4)
WIDE = operations(shear=0.99, shift=lambda size: 32, degrees=135, enhance=0.99, bits=2)
MIXED = (
    "autocontrast",
    "equalize",
    "posterize",
    "rotate",
    "solarize",
    "shear x",
    "shear y",
    "translate x",
    "translate y",
)


def draw_and_apply(
    x: Tensor, keys: Tensor, layer: str, table: dict[str, Operation], magnitudes: Tensor, names: Sequence[str] = ()
) -> Tensor:
    """Apply to each sample one of the operations, drawn by its key and the name of the layer."""
    names = list(names or table)
    chosen = uniform(keys, f"{layer} operation", 0, len(names)).long()
    sign = 1 - 2 * (uniform(keys, f"{layer} sign") < 0.5).to(x.dtype)
    result = x.clone()
    for number, name in enumerate(names):
        rows = (chosen == number).nonzero().flatten()
        if len(rows) and name != "identity":
            operation = table[name]
            m = magnitudes[rows] * sign[rows] if operation.signed else magnitudes[rows]
            result[rows] = operation.apply(x[rows], m)
    return result


def randaugment(x: Tensor, keys: Tensor, layers: int = 2, magnitude: float = 9) -> Tensor:
    """`layers` random operations, all of one magnitude from 0 to 30 (Cubuk et al., 2020)."""
    if layers < 1 or not 0 <= magnitude <= 30:
        raise ValueError(f"layers={layers} must be at least 1, and magnitude={magnitude} from 0 to 30")
    strength = torch.full((len(x),), magnitude / 30, device=x.device, dtype=x.dtype)
    for layer in range(layers):
        x = draw_and_apply(x, keys, f"randaugment {layer}", RAND, strength)
    return x


def trivialaugment(x: Tensor, keys: Tensor) -> Tensor:
    """One random operation of a random magnitude, without anything to tune (Müller & Hutter, 2021)."""
    strength = (uniform(keys, "trivialaugment magnitude", 0, 31).floor() / 30).to(x.dtype)
    return draw_and_apply(x, keys, "trivialaugment", WIDE, strength)


def augmix(x: Tensor, keys: Tensor, severity: float = 3, width: int = 3, depth: int = 3) -> Tensor:
    """Mix the image with `width` chains of one to `depth` operations of magnitude up to `severity` of 10.

    Hendrycks et al. (2020), with Dirichlet and Beta of 1, and without their loss of consistency.
    """
    if not 0.1 <= severity <= 10 or width < 1 or depth < 1:
        raise ValueError(f"severity={severity} must be from 0.1 to 10, width={width} and depth={depth} at least 1")
    weights = torch.stack([-(1 - uniform(keys, f"augmix weight {chain}")).log() for chain in range(width)])
    weights = weights / weights.sum(dim=0).clamp(min=1e-12)  # of exponential draws: Dirichlet
    mixed = torch.zeros_like(x)
    for chain in range(width):
        own, result = splitmix64(keys + chain + 1), x
        length = uniform(own, "augmix depth", 1, depth + 1).floor()
        for step in range(depth):
            strength = uniform(own, f"augmix magnitude {step}", 0.1, severity).to(x.dtype) / 10
            changed = draw_and_apply(result, own, f"augmix {step}", RAND, strength, MIXED)
            result = torch.where(color.column(step < length), changed, result)
        mixed += color.column(weights[chain]) * result
    share = color.column(uniform(keys, "augmix share").to(x.dtype))
    return (1 - share) * x + share * mixed
