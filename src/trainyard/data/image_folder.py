"""The user's own images: root/train/CLASS/*.png, root/test/CLASS/*.png and optionally root/val/CLASS/*.png."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainyard.data.base import Samples
from trainyard.data.images import Images
from trainyard.data.loading.announce import announced
from trainyard.data.loading.cache import cache_beside
from trainyard.data.loading.hashing import stable_hash
from trainyard.data.loading.image_files import ImageFiles
from trainyard.data.loading.shards import Shards, decode_once

SUFFIXES = (".png", ".jpg", ".jpeg")


DECODE = ("once", "every_epoch")


class ImageFolder(Images):
    """Images of any size, scaled and center-cropped to `shape`; with one channel they are converted to grayscale.

    A split that takes at most `in_memory_bytes` is decoded into memory. A larger one is decoded `once`, into
    memory-mapped files below `cache` (by default root/.decoded), or in `every_epoch` by the workers, batch by batch.
    """

    def __init__(
        self,
        root: str | None,
        shape: list[int],
        in_memory_bytes: int = 2 << 30,
        decode: str = "once",
        cache: str | None = None,
        **images: Any,
    ) -> None:
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise ValueError(f"shape={list(shape)} must be (1 or 3 channels, height, width)")
        if decode not in DECODE:
            raise ValueError(f"decode={decode} is unknown; choose one of {', '.join(DECODE)}")
        super().__init__(shape=shape, **images)
        self.given_root, self.in_memory_bytes = root, in_memory_bytes
        self.decode, self.cache = decode, cache

    @property
    def root(self) -> Path:
        """The folder of all splits; ValueError without one, as of someone else's run, which can predict."""
        if self.given_root is None:
            raise ValueError("data.root=null: data.root=FOLDER names the folder that contains train and test")
        return Path(self.given_root).expanduser()

    def prepare_data(self) -> None:
        for split in ("train", "test"):
            if not (self.root / split).is_dir():
                raise FileNotFoundError(
                    f"{self.root / split} is missing: it should contain a folder of images per class"
                )
        files, _ = self.find("test")  # read after the training, so that what is wrong with it is said here
        if self.is_stored(files):
            decode_once(files, self.folder("test"))
        else:
            with announced(f"checking {len(files):,} images of {self.root / 'test'}"):
                files.check_headers()

    def find(self, split: str) -> tuple[ImageFiles, Tensor]:
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
        return ImageFiles(paths, self.shape), torch.tensor(labels)

    def fits_memory(self, files: ImageFiles) -> bool:
        """Whether a split is decoded into memory."""
        return len(files) * int(np.prod(self.shape)) <= self.in_memory_bytes

    def is_stored(self, files: ImageFiles) -> bool:
        """Whether a split is decoded into files."""
        return self.decode == "once" and not self.fits_memory(files)

    def folder(self, split: str) -> Path:
        """Where the decoded images of a split are: of each shape and choice of classes in a folder of its own."""
        name = f"{split}-{'x'.join(map(str, self.shape))}-{stable_hash(*self.classes):016x}"
        if self.cache is None:
            return cache_beside(self.root, ".decoded", name)
        root = self.root.resolve()
        return Path(self.cache).expanduser() / "decoded" / f"{root.name}-{stable_hash(root):016x}" / name

    def read(self, split: str) -> Samples:
        files, labels = self.find(split)
        if self.is_stored(files):
            return Samples(decode_once(files, self.folder(split)), labels)
        if not self.fits_memory(files):
            return Samples(files, labels)
        with announced(f"decoding {len(labels):,} images of {self.root / split} into memory"):
            return Samples(files[torch.arange(len(labels))], labels, source=files.digest())

    def workers(self, split: str) -> int:
        match self.splits[split].inputs:
            case ImageFiles():
                return self.num_workers
            case Shards():
                return min(1, self.num_workers)  # nothing is decoded: one reads ahead, and leaves the others their core
        return 0

    def read_val(self) -> Samples | None:
        return self.read("val") if (self.root / "val").is_dir() else None
