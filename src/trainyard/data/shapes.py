"""Generated shapes and textures: an image dataset that needs no download."""

from collections.abc import Callable
from math import pi
from typing import Any

import torch
from torch import Tensor

from trainyard.data.base import Samples
from trainyard.data.images import Images
from trainyard.data.loading.hashing import stable_hash

# Each maps coordinates u, v to True inside the figure, which extends to 1.
FIGURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "disc": lambda u, v: u.hypot(v) < 0.9,
    "ring": lambda u, v: (u.hypot(v) - 0.75).abs() < 0.25,
    "square": lambda u, v: torch.maximum(u.abs(), v.abs()) < 0.8,
    "triangle": lambda u, v: (v < 0.6) & (v > 1.9 * u.abs() - 1),
    "cross": lambda u, v: (torch.minimum(u.abs(), v.abs()) < 0.25) & (torch.maximum(u.abs(), v.abs()) < 1),
    "star": lambda u, v: u.hypot(v) < 0.65 + 0.35 * (5 * torch.atan2(v, u)).cos(),
}
TEXTURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "stripes": lambda u, v: (2 * pi * u).sin() > 0,
    "checks": lambda u, v: (2 * pi * u).sin() * (2 * pi * v).sin() > 0,
    "dots": lambda u, v: (u - u.round()).hypot(v - v.round()) < 0.3,
    "waves": lambda u, v: (2 * pi * (v + 0.3 * (2 * pi * u).sin())).sin() > 0,
}
CLASSES = (*FIGURES, *TEXTURES)


class Shapes(Images):
    """Ten classes: a figure, or a texture all over, brighter than the background, in random places, sizes and colors.

    `size` images to train and validate on and `test_size` to test, the same ones in every run.
    """

    def __init__(self, shape: list[int], size: int, test_size: int, noise: float = 0.1, **images: Any) -> None:
        if len(shape) != 3 or shape[0] != 3:
            raise ValueError(f"shapes are drawn in 3 channels, not in shape={list(shape)}")
        super().__init__(shape=shape, **images)
        if min(size, test_size) < 10 * len(CLASSES):
            raise ValueError(f"size={size} and test_size={test_size} must both be at least {10 * len(CLASSES)}")
        self.sizes, self.noise = {"train": size, "test": test_size}, noise

    def read(self, split: str) -> Samples:
        generator = torch.Generator().manual_seed(stable_hash("shapes", split))
        labels = torch.arange(self.sizes[split]) % len(CLASSES)
        images = torch.cat([draw(part, self.shape, self.noise, generator) for part in labels.split(1000)])
        return self.only_classes(Samples(images, labels), CLASSES)


def draw(labels: Tensor, shape: tuple[int, ...], noise: float, generator: torch.Generator) -> Tensor:
    """Draw an image for each label: (B) -> (B, *shape) uint8."""
    count, (channels, height, width) = len(labels), shape

    def between(low: float, high: float, *rest: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *(rest or (1, 1)), generator=generator)

    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    x, y = x - between(-0.3, 0.3), y - between(-0.3, 0.3)  # (B, H, W)
    angle = between(-pi / 6, pi / 6)
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    reach = torch.where((labels < len(FIGURES))[:, None, None], between(0.4, 0.8), between(0.35, 0.7))
    u, v = u / reach, v / reach
    inside = torch.zeros(count, height, width, dtype=torch.bool)
    for label, figure in enumerate((FIGURES | TEXTURES).values()):
        mine = labels == label
        inside[mine] = figure(u[mine], v[mine])
    background, color = between(0, 0.4, channels, 1, 1), between(0.5, 1, channels, 1, 1)
    image = torch.where(inside[:, None], color, background)
    image = image + noise * torch.randn(image.shape, generator=generator)
    return (255 * image).round().clamp(0, 255).to(torch.uint8)
