"""Crash-safe file writes: to a temporary file in the same folder, flushed to the disk, then renamed."""

import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

PART = re.compile(r"\.(.+)\.(\d+)\.part")  # .NAME.PID.part: half a file, written by that process


def write_durably(path: str | Path, put: Callable[[IO[bytes]], Any]) -> None:
    """Write a file with `put`. If the process dies, `path` is the old file or the new one, complete.

    OSError with the name of the file if the disk is full: the old file is still there then, and nothing else.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            put(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = str(path)
        raise
    sync_names(path.parent)


def sync_names(folder: Path) -> None:
    """Have the names of a folder's files on the disk; their content is flushed with each file."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def open_regular(path: str | Path) -> IO[bytes]:
    """A file opened for reading; OSError for a pipe or a device, of which to read may block or never end."""
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is not a regular file")
    return file


def read_small(path: str | Path, most: int = 1 << 19) -> bytes:
    """The content of a regular file; OSError for any other, and for more than `most` bytes."""
    with open_regular(path) as file:
        content = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
    if len(content) > most:
        raise OSError(f"{path} is larger than {most:,} bytes")
    return content


def read_mapping(path: str | Path) -> dict[str, Any]:
    """The JSON object in a small file; empty if there is none that can be read."""
    try:
        content = json.loads(read_small(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def newest_first(files: Iterable[Path]) -> list[Path]:
    """The folders of these files, that of the newest file first."""
    return [file.parent for file in sorted(files, key=lambda file: file.lstat().st_mtime, reverse=True)]


def unshare(path: Path) -> None:
    """Replace a file that has another name elsewhere (a hard link) by a copy, so that writing here changes this one."""
    if path.is_file() and path.stat().st_nlink > 1:
        with path.open("rb") as old:
            write_durably(path, lambda new: shutil.copyfileobj(old, new))


def remove_parts(folder: Path) -> None:
    """Delete the half-written files of processes that have ended."""
    for file in folder.glob(".*.part"):
        if (match := PART.fullmatch(file.name)) and not is_running(int(match[2])):
            file.unlink(missing_ok=True)


def is_running(pid: int) -> bool:
    """Whether a process of this machine is alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
