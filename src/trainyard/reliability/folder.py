"""A run directory belongs to one process at a time, and says how far the run came: status.json."""

import json
import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from trainyard.errors import UserError
from trainyard.reliability.files import write
from trainyard.reliability.stop import INTERRUPTED, PREEMPTED

STATUS, LOCK = "status.json", ".lock"
STATES = ("running", "done", "failed", "preempted", "interrupted")


def status(folder: Path) -> dict[str, Any]:
    """What status.json says; empty without one."""
    try:
        return json.loads((folder / STATUS).read_text())
    except (FileNotFoundError, ValueError):
        return {}


def is_busy(folder: Path) -> bool:
    """Whether a process works in the directory."""
    try:
        with RunFolder(folder):
            return False
    except UserError:
        return True


class RunFolder:
    """`with RunFolder(path) as folder:` holds the directory's lock; UserError with host and pid if another does.

    The lock is the operating system's (POSIX), so that it ends with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[str] | None = None

    def __enter__(self) -> "RunFolder":
        self.path.mkdir(parents=True, exist_ok=True)
        file = (self.path / LOCK).open("a+")
        if not lock(file):
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise UserError(f"{self.path} is in use by {owner}; wait for it, or choose another run.dir")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        self.file = file
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
            self.file.close()  # and with it the lock


def lock(file: IO[str]) -> bool:
    """Take the lock of an open file; False if another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows has other means; there, nobody is kept out
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
