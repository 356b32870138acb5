"""A run directory belongs to one process at a time, and says how far the run came: status.json."""

import json
import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from trainyard.errors import UserError
from trainyard.reliability.files import read_small, write
from trainyard.reliability.stop import INTERRUPTED, PREEMPTED

STATUS, LOCK = "status.json", ".lock"
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # nor a pipe, which would block
_held: set[Path] = set()  # by this process
STATES = ("running", "done", "failed", "preempted", "interrupted")


def status(folder: Path) -> dict[str, Any]:
    """What status.json says; empty without one."""
    try:
        said = json.loads(read_small(folder / STATUS))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def is_busy(folder: Path) -> bool:
    """Whether a process works in the directory. It is only looked at."""
    if folder.resolve() in _held:
        return True  # to open the file and close it again would give up this process's lock
    try:
        with os.fdopen(os.open(folder / LOCK, os.O_RDONLY | NO_LINK)) as file:
            return not lock(file, shared=True)
    except OSError:
        return False


class RunFolder:
    """`with RunFolder(path) as folder:` holds the directory's lock; UserError with host and pid if another does.

    The lock is the operating system's (POSIX), so that it ends with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[str] | None = None

    def __enter__(self) -> "RunFolder":
        self.path.mkdir(parents=True, exist_ok=True)
        if self.path.resolve() in _held:
            raise UserError(f"{self.path} is in use by this very process")
        file = os.fdopen(os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | NO_LINK, 0o644), "r+")
        if not lock(file):
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise UserError(f"{self.path} is in use by {owner}; wait for it, or choose another run.dir")
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        self.file = file
        _held.add(self.path.resolve())
        return self

    def say(self, state: str, **more: Any) -> None:
        """Write the state down, with host, process, attempt and time."""
        old = status(self.path)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        attempt = old.get("attempt", 0) + (state == "running")
        new = {"state": state, "host": socket.gethostname(), "pid": os.getpid(), "attempt": attempt, "time": now}
        text = json.dumps({**new, **more}, indent=2) + "\n"
        write(self.path / STATUS, lambda file: file.write(text.encode()))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is not None and status(self.path).get("state") == "running":
            code = getattr(error, "code", None)
            state = {PREEMPTED: "preempted", INTERRUPTED: "interrupted"}.get(code, "failed")  # pyright: ignore
            state = "interrupted" if isinstance(error, KeyboardInterrupt) else state
            with suppress(OSError):  # a full disk: the lock's end says enough
                self.say(state, error=f"{type(error).__name__}: {error}"[:300])
        if self.file:
            _held.discard(self.path.resolve())
            self.file.close()  # and with it the lock


def lock(file: IO[str], shared: bool = False) -> bool:
    """Take the lock of an open file; False if another process has it. `shared` is enough to see whether one has."""
    try:
        import fcntl
    except ImportError:  # Windows has other means; there, nobody is kept out
        return True
    try:
        fcntl.lockf(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
