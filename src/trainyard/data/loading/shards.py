"""Images larger than memory: decoded once, into memory-mapped arrays of at most SHARD_BYTES each.

A shard is named by a hash of what it was made of, the names, sizes and times of its files, and written under that name
only when it is complete. So a conversion that was interrupted, or a folder in which files have changed, needs the
missing shards alone.
"""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from filelock import AcquireReturnProxy, FileLock
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from trainyard.data.loading.announce import announced
from trainyard.data.loading.arrays import save_array
from trainyard.data.loading.hashing import stable_hash
from trainyard.data.loading.image_files import ImageFiles
from trainyard.files import remove_parts

VERSION = 1  # of the decoded pixels: another one is decoded anew
SHARD_BYTES = 1 << 26
SPARE = 1 << 28  # bytes of the disk that a conversion leaves free
EVERY = 60.0  # seconds between two lines of progress where there is no terminal
log = logging.getLogger(__name__)


class Shards:
    """Decoded images in .npy files, indexed by a tensor: (B) -> (B, channels, height, width) uint8."""

    def __init__(self, paths: list[Path], shape: tuple[int, ...], digest: str) -> None:
        self.paths, self.shape, self.known_digest = paths, shape, digest
        self.rows = rows_of_a_shard(shape)
        self.arrays = [np.load(path, mmap_mode="r") for path in paths]

    def __len__(self) -> int:
        return sum(map(len, self.arrays))

    def __getitem__(self, rows: Tensor) -> Tensor:
        found = np.empty((len(rows), *self.shape), dtype=np.uint8)
        for place, row in enumerate(rows.tolist()):
            found[place] = self.arrays[row // self.rows][row % self.rows]
        return torch.from_numpy(found)

    def __getstate__(self) -> dict[str, Any]:  # a worker that is not forked maps the files itself
        return {**self.__dict__, "arrays": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["paths"], state["shape"], state["known_digest"])

    def digest(self) -> str:
        """That of the image files, so that a run may be resumed with or without shards."""
        return self.known_digest


def rows_of_a_shard(shape: tuple[int, ...]) -> int:
    """How many images of a shape are in one file."""
    return max(1, SHARD_BYTES // int(np.prod(shape)))


def decode_once(files: ImageFiles, folder: Path) -> Shards:
    """The images as shards in `folder`; those that are not there are made, by one process while others wait.

    ValueError, before anything is decoded, if the folder cannot be written or the disk has too little space.
    """
    rows = torch.arange(len(files)).split(rows_of_a_shard(files.shape))
    lines = files.listing()
    named = {
        folder / f"{stable_hash(VERSION, files.shape, *(lines[row] for row in part.tolist())):016x}.npy": part
        for part in rows
    }
    if not all(is_whole(path, len(part), files.shape) for path, part in named.items()):
        with locked(folder):
            remove_parts(folder)
            missing = {path: part for path, part in named.items() if not is_whole(path, len(part), files.shape)}
            if missing:
                remove_others(folder, set(named))
                convert(files, missing, folder)
    return Shards(list(named), files.shape, files.digest())


def is_whole(path: Path, count: int, shape: tuple[int, ...]) -> bool:
    """Whether a file has so many images of the shape; a file that was cut off has not."""
    try:
        found = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return found.shape == (count, *shape) and found.dtype == np.uint8


def locked(folder: Path) -> AcquireReturnProxy:
    """Make the folder, whose place may be read-only, and lock it until the end of `with`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with announced(f"waiting for another process, which decodes into {folder}"):
            return FileLock(folder / ".lock").acquire()  # which follows no link
    except OSError as error:
        raise ValueError(
            f"{folder}, for decoded images, cannot be written ({error.strerror}); data.cache=FOLDER names another "
            "place, and data.decode=every_epoch needs none"
        ) from error


def convert(files: ImageFiles, missing: dict[Path, Tensor], folder: Path) -> None:
    """Decode the missing shards, one after the other."""
    count = sum(map(len, missing.values()))
    needed, free = count * int(np.prod(files.shape)), shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise ValueError(
            f"{count:,} decoded images take {needed / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} GB are free there; "
            "data.cache=FOLDER names another place, data.shape smaller images, and data.decode=every_epoch stores none"
        )
    what = f"decoding {count:,} of {len(files):,} images into {folder}, once: {needed / 1e9:.1f} GB"
    with announced(what, at_once=True):
        for path, part in shown(missing, count):
            save_array(path, files[part].numpy())


def shown(missing: dict[Path, Tensor], count: int) -> Iterator[tuple[Path, Tensor]]:
    """The shards to make, with a bar on a terminal, and elsewhere a line now and then."""
    console = Console()
    columns = (TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done, said = 0, monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("decoding", total=count)
        for path, part in missing.items():
            yield path, part
            done += len(part)
            progress.update(bar, completed=done)
            if not console.is_terminal and monotonic() - said > EVERY:
                log.info("%s of %s images are decoded", f"{done:,}", f"{count:,}")
                said = monotonic()


def remove_others(folder: Path, wanted: set[Path]) -> None:
    """Delete the shards of files that have changed since, which nothing reads again; who has one open keeps it."""
    old = [path for path in folder.glob("*.npy") if path not in wanted]
    if old:
        log.info("the images have changed: %s of their files in %s are decoded anew", f"{len(old):,}", folder)
    for path in old:
        path.unlink(missing_ok=True)
