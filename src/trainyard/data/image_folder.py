"""The user's own images: root/train/CLASS/*.png, root/test/CLASS/*.png and optionally root/val/CLASS/*.png."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainyard.data.base import Samples
from trainyard.data.images import Images
from trainyard.data.loading.announce import announced
from trainyard.data.loading.decode import decode_file
from trainyard.data.loading.hashing import content_digest

SUFFIXES = (".png", ".jpg", ".jpeg")


class ImageFolder(Images):
    """Images of any size, scaled and center-cropped to `shape`; with one channel they are converted to grayscale.

    A split that takes at most `in_memory_bytes` is decoded once and kept in memory; a larger one is decoded by the
    workers, batch by batch.
    """

    def __init__(self, root: str, shape: list[int], in_memory_bytes: int = 2 << 30, **images: Any) -> None:
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise ValueError(f"shape={list(shape)} must be (1 or 3 channels, height, width)")
        super().__init__(shape=shape, **images)
        self.root, self.in_memory_bytes = Path(root).expanduser(), in_memory_bytes

    def prepare_data(self) -> None:
        for split in ("train", "test"):
            if not (self.root / split).is_dir():
                raise FileNotFoundError(
                    f"{self.root / split} is missing: it should contain a folder of images per class"
                )
        for split in ("train", "test", *(["val"] if (self.root / "val").is_dir() else [])):
            files, _ = self.find(split)
            if split == "test":  # train and val are read before training, test only after it
                with announced(f"checking {len(files.paths):,} images of {self.root / split}"):
                    for file in files.paths:
                        decode_file(file, self.shape, header_only=True)

    def find(self, split: str) -> tuple["Files", Tensor]:
        """The files of a split and their labels, (N) int64; ValueError for a class without a file."""
        known = sorted(path.name for path in (self.root / split).iterdir() if path.is_dir() and path.name[0] != ".")
        missing = [name for name in self.classes if name not in known]
        if missing:
            raise ValueError(f"{self.root / split} has no folder for the classes {missing}; it has {known}")
        paths, labels = [], []
        for label, name in enumerate(self.classes):
            folder = self.root / split / name
            found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
            if not found:
                raise ValueError(f"{folder} contains no image ({', '.join(SUFFIXES)})")
            paths += found
            labels += [label] * len(found)
        return Files(paths, self.shape), torch.tensor(labels)

    def read(self, split: str) -> Samples:
        files, labels = self.find(split)
        if len(labels) * int(np.prod(self.shape)) > self.in_memory_bytes:
            return Samples(files, labels)
        with announced(f"decoding {len(labels):,} images of {self.root / split} into memory"):
            return Samples(files[torch.arange(len(labels))], labels)

    def workers(self, split: str) -> int:
        return self.num_workers if isinstance(self.splits[split].inputs, Files) else 0  # nothing is left to decode

    def read_val(self) -> Samples | None:
        return self.read("val") if (self.root / "val").is_dir() else None


class Files:
    """Image files that can be indexed by a tensor like the decoded images, (N, channels, height, width) uint8."""

    def __init__(self, paths: list[Path], shape: tuple[int, ...]) -> None:
        self.paths, self.shape = paths, shape

    def __getitem__(self, rows: Tensor) -> Tensor:
        with ThreadPoolExecutor() as pool:  # decoding releases Python's global lock
            return torch.stack(list(pool.map(lambda row: decode_file(self.paths[row], self.shape), rows.tolist())))

    def digest(self) -> str:
        """The names and sizes of the files, wherever their folder is. (Their content would take too long to read.)"""
        return content_digest(*(f"{file.parent.name}/{file.name} {file.stat().st_size}\n" for file in self.paths))
