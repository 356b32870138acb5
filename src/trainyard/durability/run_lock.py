"""Lock a run directory, so that one process at a time works in it, and keep its state in status.json."""

import json
import logging
import os
import shutil
import socket
import struct
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from trainyard.durability.signals import INTERRUPTED, PREEMPTED
from trainyard.errors import UserError
from trainyard.files import read_mapping, write_durably
from trainyard.trust.signature import RESOLVED

STATUS, LOCK = "status.json", ".lock"
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # nor a pipe, which would block
FLOCK = {"linux": ("@hhqqi", 0, 4), "darwin": ("@qqihh", 3, 2)}  # struct flock: layout, places of l_type and l_pid
_held: set[Path] = set()  # by this process
log = logging.getLogger(__name__)


def read_status(folder: Path) -> dict[str, Any]:
    """The content of status.json; empty without one."""
    return read_mapping(folder / STATUS)


def overwrite(file: Path, text: bytes) -> None:
    """Replace the content of a file in its place: this needs no space, but a crash meanwhile leaves half of it."""
    with file.open("r+b") as opened:
        opened.write(text.ljust(os.fstat(opened.fileno()).st_size))


def is_locked(folder: Path) -> bool:
    """Whether a process uses the directory; writes nothing."""
    if folder.resolve() in _held:
        return True  # to open the file and close it again would release this process's lock
    try:
        with os.fdopen(os.open(folder / LOCK, os.O_RDONLY | NO_LINK)) as file:
            return holder(file) is not None
    except OSError:
        return False


def write_status(folder: Path, state: str, owner: int | None = None, **more: Any) -> None:
    """Write the state with host, process (`owner`, where another one holds the lock), attempt and time."""
    old = read_status(folder)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    attempt = old.get("attempt", 0) + (state == "running")
    new = {"state": state, "host": socket.gethostname(), "pid": owner or os.getpid(), "attempt": attempt, "time": now}
    text = json.dumps({**new, **more}, indent=2).encode() + b"\n"
    try:
        write_durably(folder / STATUS, lambda file: file.write(text))
    except OSError:
        if not (folder / STATUS).is_file():
            raise
        overwrite(folder / STATUS, text)


class RunLock:
    """`with RunLock(path) as lock:` holds a run directory; UserError with host and process if another one does.

    The lock is the operating system's (POSIX), so that it ends with the process, however that ends. A directory in
    which no run began, since it was refused, does not remain.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[str] | None = None
        self.made: Path | None = None  # the topmost folder that did not exist before

    def __enter__(self) -> "RunLock":
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.made = missing[-1] if missing else None
        self.path.mkdir(parents=True, exist_ok=True)
        if self.path.resolve() in _held:
            raise UserError(f"{self.path} is in use by this process")
        file = os.fdopen(os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | NO_LINK, 0o644), "r+")
        if not try_lock(file):
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise UserError(f"{self.path} is in use by {owner}; wait for it, or choose another run.dir")
        file.seek(0)
        file.truncate()
        with suppress(OSError):  # a full disk: whoever finds the lock taken is not told by whom
            os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
        self.file = file
        _held.add(self.path.resolve())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        status = read_status(self.path)
        if error is not None and (status.get("state"), status.get("pid")) == ("running", os.getpid()):
            code = getattr(error, "code", None)
            state = {PREEMPTED: "preempted", INTERRUPTED: "interrupted"}.get(code, "failed")  # pyright: ignore
            state = "interrupted" if isinstance(error, KeyboardInterrupt) else state
            with suppress(OSError):  # that the lock is free tells enough
                write_status(self.path, state, error=f"{type(error).__name__}: {error}"[:300])
        if self.file:
            _held.discard(self.path.resolve())
            if error is not None:
                self.remove_if_refused()
            self.file.close()  # and with it the lock

    def remove_if_refused(self) -> None:
        """Remove the directory, with those above it that this lock has made, if no run has begun in it."""
        if self.made is None or (self.path / RESOLVED).exists():
            return
        for name in (LOCK, ".failures"):
            shutil.rmtree(self.path / name, ignore_errors=True)
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or used by another run by now
            folder = self.path
            folder.rmdir()
            while folder != self.made:
                folder = folder.parent
                folder.rmdir()


def try_lock(file: IO[str]) -> bool:
    """Lock an open file; False if another process holds it. Where there are no locks, a warning says so."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:  # a network file system without locks
        log.warning("%s cannot be locked (%s): see that no other process uses this run", file.name, error)
    return True


def holder(file: IO[str]) -> int | None:
    """The process that holds the lock of an open file, None if none does. (Asking takes no lock, not even briefly.)"""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    layout, kind, pid = FLOCK.get(sys.platform, FLOCK["darwin"])
    fields = [0] * 5
    fields[kind] = fcntl.F_WRLCK
    found = struct.unpack(layout, fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(layout, *fields)))
    return None if found[kind] == fcntl.F_UNLCK else found[pid]
