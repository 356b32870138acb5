"""Small copies of published image sets, in the publishers' formats: the gray value of an image tells its label."""

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from trainyard.data.cifar10 import PIXELS
from trainyard.data.cifar100 import CIFAR100
from trainyard.data.fashion_mnist import FashionMNIST
from trainyard.data.mnist import MNIST
from trainyard.data.published import PublishedImages
from trainyard.data.svhn import SVHN

SETS: dict[str, type[PublishedImages]] = {
    "cifar100": CIFAR100, "mnist": MNIST, "fashion_mnist": FashionMNIST, "svhn": SVHN
}  # fmt: skip
COUNTS = {"train": 400, "test": 200}


def labels_of(count: int, classes: int) -> np.ndarray:
    """All classes in turn."""
    return (np.arange(count) % classes).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    """An IDX file of bytes."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def element(kind: int, content: bytes, order: str = "<") -> bytes:
    """An element of a .mat file: short where its content has at most four bytes, else in steps of eight bytes."""
    if len(content) <= 4:
        return struct.pack(f"{order}I4s", len(content) << 16 | kind, content)
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def mat(arrays: dict[str, np.ndarray], compress: bool = True, order: str = "<") -> bytes:
    """A .mat file of version 5 with arrays of bytes."""
    parts = [(b"MATLAB 5.0 MAT-file, written by a test".ljust(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49))]
    for name, array in arrays.items():
        flags = struct.pack(f"{order}II", 9, 0)
        shape = struct.pack(f"{order}{array.ndim}i", *array.shape)
        content = array.astype(np.uint8).tobytes(order="F")
        body = element(6, flags, order) + element(5, shape, order) + element(1, name.encode(), order)
        whole = struct.pack(f"{order}II", 14, len(body) + len(element(2, content, order)))
        whole += body + element(2, content, order)
        packed = zlib.compress(whole)
        parts.append(struct.pack(f"{order}II", 15, len(packed)) + packed if compress else whole)
    return b"".join(parts)


def contents(name: str) -> dict[str, bytes]:
    """The files of a set, by their paths below its folder."""
    kind, found = SETS[name], {}
    for split, count in COUNTS.items():
        labels = labels_of(count, len(kind.CLASSES))
        images = np.repeat(2 * labels, int(np.prod(kind.SHAPE)))
        if name == "cifar100":
            found[f"{split}.bin"] = np.hstack(
                [np.full((count, 1), 255, np.uint8), labels[:, None], images.reshape(count, PIXELS)]
            ).tobytes()
        elif name == "svhn":
            digits = np.where(labels == 0, 10, labels)[:, None]
            pixels = images.reshape(count, 3, 32, 32).transpose(2, 3, 1, 0)
            found[f"{split}_32x32.mat"] = mat({"X": pixels, "y": digits})
        else:
            prefix = {"train": "train", "test": "t10k"}[split]
            found[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(idx(images.reshape(count, 28, 28)))
            found[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels))
    return found


def write_copy(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the copy of a set into its folder below `root`, and take its checksums for the published ones."""
    kind, files = SETS[name], contents(name)
    for path, content in files.items():
        (root / kind.FOLDER).mkdir(parents=True, exist_ok=True)
        (root / kind.FOLDER / path).write_bytes(content)
    if name == "cifar100":
        monkeypatch.setattr(kind, "FILES", {split: {f"{split}.bin": count} for split, count in COUNTS.items()})
        return root / kind.FOLDER
    sources = [source._replace(checksum=hashlib.md5(files[source.name]).hexdigest(), size=len(files[source.name]))
               for source in kind.SOURCES]  # fmt: skip
    monkeypatch.setattr(kind, "SOURCES", tuple(sources))
    return root / kind.FOLDER
