"""Find run directories below a folder, with their sizes, in one pass that follows no link."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainyard.errors import UserError, printable
from trainyard.trust.signature import RESOLVED


@dataclass
class Found:
    """A run directory as the file system sees it."""

    path: Path
    size: int = 0  # bytes, without runs that are inside
    changed: float = 0.0  # when its newest file was written
    folders: set[str] = field(default_factory=set)  # names of those directly in it
    has_runs: bool = False  # whether another run directory is inside


def scan(root: Path) -> list[Found]:
    """The run directories at or below `root`, by path; UserError if it is no folder that can be read."""
    try:
        os.scandir(root).close()
    except OSError as error:
        raise UserError(f"{printable(root, 300)} is not a folder that can be read ({error.strerror})") from error
    return sorted(_scan(root, []), key=lambda found: found.path)


def _scan(folder: Path, around: list[Found]) -> Iterator[Found]:
    """`around`: the run that the folder is in, if any."""
    try:
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError:  # not readable: whatever is there is not counted
        return
    if any(entry.name == RESOLVED and entry.is_file(follow_symlinks=False) for entry in entries):
        for outer in around:
            outer.has_runs = True
        around = [Found(folder)]
        yield around[0]
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if around:
                around[0].folders |= {entry.name} if around[0].path == folder else set()
            elif entry.name.startswith("."):
                continue  # .git, .venv
            yield from _scan(folder / entry.name, around)
        elif around:
            status = entry.stat(follow_symlinks=False)
            around[0].size += status.st_size
            around[0].changed = max(around[0].changed, status.st_mtime)
