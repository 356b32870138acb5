"""CIFAR-10 (Krizhevsky, 2009): 60,000 photographs of 32x32 pixels in ten classes, from the published binary files."""

from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from trainyard.data.base import Samples
from trainyard.data.images import Images, require_shape
from trainyard.data.loading.download import data_root, fetch, unpack

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SIZE = 170_052_171
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
RECORDS, PIXELS = 10_000, 3 * 32 * 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class CIFAR10(Images):
    """The published split: 50,000 to train (and validate) on, 10,000 to test.

    Found as `root`/cifar-10-batches-bin, else as the archive beside it, else downloaded there if `download`.
    """

    def __init__(self, shape: list[int], root: str | None = None, download: bool = True, **images: Any) -> None:
        require_shape("CIFAR-10", shape, 3, 32, 32)
        super().__init__(shape=shape, **images)
        self.root, self.download = data_root(root), download

    def prepare_data(self) -> None:
        folder, archive = self.root / FOLDER, self.root / Path(URL).name
        if not folder.is_dir():
            self.obtain(folder, archive)
        for name in FILES["train"]:
            check_size(folder / name)
        read_records(folder / FILES["test"][0])  # checks its labels before the training, not after it

    def obtain(self, folder: Path, archive: Path) -> None:
        """Unpack the archive, downloaded if needed and allowed; FileNotFoundError says which file to put where."""
        try:
            if not self.download and not archive.exists():
                raise ConnectionError("data.download=false forbids a download")
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / f".{FOLDER}.lock"):  # of several runs that start together, one downloads
                if not folder.is_dir():
                    unpack(fetch(URL, archive, SHA256, SIZE), FOLDER)
        except ConnectionError as error:
            raise FileNotFoundError(
                f"CIFAR-10 is not in {self.root}, and {error}. Put {archive.name} from {URL}, or its unpacked "
                f"folder {FOLDER}, into {self.root} (data.root=... or TRAINYARD_DATA names another folder), "
                "or choose data=shapes, which needs no download"
            ) from error

    def read(self, split: str) -> Samples:
        records = torch.cat([read_records(self.root / FOLDER / name) for name in FILES[split]])
        images = records[:, 1:].reshape(-1, 3, 32, 32)
        return self.only_classes(Samples(images, records[:, 0].long()), CLASSES)


def check_size(path: Path) -> None:
    """Raise FileNotFoundError or ValueError unless the file exists and has the published size."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; unpack the whole archive from {URL}")
    expected, found = RECORDS * (1 + PIXELS), path.stat().st_size
    if found != expected:
        raise ValueError(f"{path} has {found:,} bytes instead of {expected:,}; delete its folder and unpack it again")


def read_records(path: Path) -> torch.Tensor:
    """The records of a file, (10000, 3073) uint8: a label, then the red, green and blue channels."""
    check_size(path)
    records = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).view(RECORDS, 1 + PIXELS)
    bad = (records[:, 0] >= len(CLASSES)).nonzero().flatten()
    if len(bad):
        record = int(bad[0])
        raise ValueError(
            f"{path}: record {record} has the label {int(records[record, 0])}, above {len(CLASSES) - 1}; "
            "this is not a CIFAR-10 file"
        )
    return records
