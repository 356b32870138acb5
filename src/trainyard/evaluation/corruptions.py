"""Disturbances of whole batches of images (B, C, H, W) uint8 or tokens (B, T), each in three strengths.

What is drawn is a pure function of a sample's key: the same whatever the batch size.
"""

import io
from collections.abc import Callable
from functools import partial
from math import ceil, pi

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from trainyard.data.loading.hashing import splitmix64, uniform
from trainyard.data.loading.tokens import PAD

Corruption = Callable[[Tensor, Tensor], Tensor]  # samples, keys (B) -> samples


def noise(x: Tensor, keys: Tensor, deviation: float) -> Tensor:
    """Add normal noise of that standard deviation, where white is 1."""
    pixels = splitmix64(keys[:, None] + torch.arange(x[0].numel(), device=x.device))
    radius = (-2 * uniform(pixels, "radius").clamp(min=1e-7).log()).sqrt()  # Box & Muller, 1958
    normal = radius * (2 * pi * uniform(pixels, "angle")).cos()
    return _bytes(x + 255 * deviation * normal.view_as(x))


def blur(x: Tensor, keys: Tensor, width: float) -> Tensor:
    """Convolve with a Gaussian whose standard deviation is `width` times the image's height."""
    deviation = width * x.shape[2]
    reach = min(ceil(3 * deviation), min(x.shape[2:]) - 1)
    offsets = torch.arange(-reach, reach + 1, device=x.device)
    kernel = (-(offsets**2) / (2 * deviation**2)).float().exp()
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x.float(), (reach, reach, reach, reach), mode="reflect")
    rows = F.conv2d(padded, kernel, groups=x.shape[1])
    return _bytes(F.conv2d(rows, kernel.transpose(2, 3), groups=x.shape[1]))


def jpeg(x: Tensor, keys: Tensor, quality: int) -> Tensor:
    """Store as JPEG of that quality, and read again."""
    found = []
    for image in x.cpu():
        file = io.BytesIO()
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        Image.fromarray(pixels.contiguous().numpy()).save(file, "JPEG", quality=quality)
        read = torch.from_numpy(np.array(Image.open(file)))
        found.append(read[None] if read.ndim == 2 else read.permute(2, 0, 1))
    return torch.stack(found).to(x.device)


def brightness(x: Tensor, keys: Tensor, more: float) -> Tensor:
    """Add to every pixel, where white is 1."""
    return _bytes(x + 255 * more)


def drop(tokens: Tensor, keys: Tensor, share: float, padding_side: str = "right") -> Tensor:
    """Leave out that share of the words; the first one stays if it would be all."""
    is_word = tokens != PAD
    kept = is_word & (_draws(tokens, keys) >= share)
    first = is_word & (is_word.cumsum(dim=1) == 1)
    kept = torch.where(kept.any(dim=1, keepdim=True), kept, first)
    order = (~kept if padding_side == "right" else kept).byte().argsort(dim=1, stable=True)
    return torch.where(kept, tokens, PAD).gather(1, order)


def swap(tokens: Tensor, keys: Tensor, share: float, padding_side: str = "right") -> Tensor:
    """Exchange neighbors: of the pairs first and second, third and fourth ..., that share."""
    length = tokens.shape[1] // 2 * 2
    pairs = tokens[:, :length].view(len(tokens), -1, 2)  # (B, T / 2, 2)
    chosen = (_draws(tokens[:, : length // 2], keys) < share) & (pairs != PAD).all(dim=2)
    swapped = torch.where(chosen[:, :, None], pairs.flip(2), pairs)
    return torch.cat((swapped.flatten(1), tokens[:, length:]), dim=1)


def _draws(tokens: Tensor, keys: Tensor) -> Tensor:  # (B, T), (B) -> (B, T) in [0, 1)
    return uniform(splitmix64(keys[:, None] + torch.arange(tokens.shape[1], device=tokens.device)), "word")


def _bytes(x: Tensor) -> Tensor:
    return x.round().clamp(0, 255).to(torch.uint8)


def of_images(channels: int) -> dict[str, list[tuple[str, Corruption]]]:
    """Each disturbance of images, with its strengths by name."""
    kinds = (
        ("noise", noise, "deviation", (0.04, 0.08, 0.16), "deviation {:g}"),
        ("blur", blur, "width", (1 / 64, 1 / 32, 1 / 16), "width {:.1%} of the height"),
        ("jpeg", jpeg, "quality", (50, 25, 10), "quality {}"),
        ("brightness", brightness, "more", (0.1, 0.2, 0.3), "+{:g}"),
    )
    return {
        name: [(text.format(each), partial(make, **{key: each})) for each in strengths]
        for name, make, key, strengths, text in kinds
        if name != "jpeg" or channels in (1, 3)
    }


def of_texts(padding_side: str) -> dict[str, list[tuple[str, Corruption]]]:
    """Each disturbance of texts, with its strengths by name."""
    shares = (0.1, 0.25, 0.5)
    return {
        "dropped words": [(f"{share:.0%}", partial(drop, share=share, padding_side=padding_side)) for share in shares],
        "swapped words": [(f"{share:.0%} of the pairs", partial(swap, share=share)) for share in shares],
    }
