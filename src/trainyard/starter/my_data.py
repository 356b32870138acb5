"""Data of my own: rings in the plane, one inside the other. conf/data/mine.yaml has its arguments."""

import torch

from trainyard.data.base import DataModule, Samples


class MyData(DataModule):
    """`size` points in each split, as many of each ring, with Gaussian `noise`."""

    def __init__(self, shape: list[int], num_classes: int, size: int, noise: float, **loading) -> None:
        super().__init__(**loading)
        self.shape, self.num_classes, self.size, self.noise = shape, num_classes, size, noise

    def read(self, split: str) -> Samples:  # of train and test; a part of train is held out for validation
        """Replace this by what reads your files: inputs (N, *shape), labels (N) from 0 to num_classes - 1."""
        generator = torch.Generator().manual_seed({"train": 0, "test": 1}[split])
        labels = torch.arange(self.size) % self.num_classes
        angle = 2 * torch.pi * torch.rand(self.size, generator=generator)
        points = (labels + 1)[:, None] * torch.stack((angle.cos(), angle.sin()), dim=1)
        return Samples(points + self.noise * torch.randn(points.shape, generator=generator), labels)
