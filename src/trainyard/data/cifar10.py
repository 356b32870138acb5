"""CIFAR-10 (Krizhevsky, 2009): 60,000 photographs of 32x32 pixels in ten classes, from the published binary files."""

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from trainyard.data.published import PublishedImages, Source

PIXELS = 3 * 32 * 32


class CIFAR10(PublishedImages):
    """The published split: 50,000 to train (and validate) on, 10,000 to test.

    A record is one or several labels, of which the last one counts, then the red, green and blue channels.
    """

    TITLE = "CIFAR-10"
    SHAPE = (3, 32, 32)
    CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    FOLDER = "cifar-10-batches-bin"
    SOURCES = (
        Source(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170_052_171,
        ),
    )
    FILES: ClassVar[dict[str, dict[str, int]]] = {  # of each split, and how many records they have
        "train": {f"data_batch_{i}.bin": 10_000 for i in range(1, 6)},
        "test": {"test_batch.bin": 10_000},
    }
    LABELS: ClassVar[int] = 1  # of a record

    def prepare_data(self) -> None:
        super().prepare_data()
        for name, records in self.FILES["train"].items():
            self.check_size(self.folder / name, records)

    def load(self, split: str) -> tuple[Tensor, Tensor]:
        records = torch.cat([self.records(name, count) for name, count in self.FILES[split].items()])
        return records[:, self.LABELS :].reshape(-1, *self.SHAPE), records[:, self.LABELS - 1].long()

    def records(self, name: str, count: int) -> Tensor:
        """The records of a file, (count, LABELS + 3072) uint8."""
        path = self.folder / name
        self.check_size(path, count)
        records = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).view(count, self.LABELS + PIXELS)
        self.check_labels(records[:, self.LABELS - 1], path)
        return records

    def check_size(self, path: Path, records: int) -> None:
        """Raise FileNotFoundError or ValueError unless the file exists and has the published size."""
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; unpack the whole archive from {self.SOURCES[0].url}")
        expected, found = records * (self.LABELS + PIXELS), path.stat().st_size
        if found != expected:
            raise ValueError(
                f"{path} has {found:,} bytes instead of {expected:,}; delete its folder and unpack it again"
            )
