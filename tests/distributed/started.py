"""A run of two processes that is going to be killed: what both kinds of start, in starts.py, have in common."""

import os
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning import Callback

PATIENCE = 45.0  # seconds from a kill to the end of all processes; torch's agent gives those that are left 30


class Slow(Callback):
    """Leaves time to kill a run."""

    def on_train_batch_end(self, *_: Any) -> None:
        time.sleep(0.05)

    def on_validation_batch_end(self, *_: Any) -> None:
        time.sleep(0.1)

    def on_test_batch_end(self, *_: Any) -> None:
        time.sleep(0.1)


class Start:
    """Processes that train together; `processes` are those that this program has started itself."""

    KINDS: tuple[str, ...] = ()
    STARTING = 1.0  # seconds until a training begins, about
    processes: list[Any]

    def __init__(self, words: list[str], folder: Path, chance: float = 1.0) -> None:
        self.mark = f"CHAOS={uuid.uuid4().hex}"
        self.began = time.time()
        self.start(words, folder, chance)

    def start(self, words: list[str], folder: Path, chance: float) -> None:
        raise NotImplementedError

    def ranks(self) -> dict[int, int]:
        """The process numbers of those that train, by rank."""
        raise NotImplementedError

    def codes(self) -> list[int | None]:
        return [each.poll() if isinstance(each, subprocess.Popen) else each.returncode for each in self.processes]

    def has_ended(self) -> bool:
        return None not in self.codes()

    def texts(self) -> str:
        """What all have printed; once all have ended."""
        if not hasattr(self, "printed"):
            self.printed = "".join("".join(each.communicate()) for each in self.processes)
        return self.printed

    def wait(self, seconds: float) -> bool:
        """Whether all processes, also those that these have started, end within so many seconds."""
        until = time.monotonic() + seconds
        while not (self.has_ended() and not self.alive()) and time.monotonic() < until:
            time.sleep(0.05)
        return self.has_ended() and not self.alive()

    def alive(self) -> list[int]:
        """The processes of this run that exist."""
        own = {each.pid for each in self.processes}
        return [pid for pid, environment in running() if self.mark in environment or session(pid) in own]

    def kill_orphans(self) -> list[str]:
        """What is still there, which is killed."""
        left = self.alive()
        found = [described(pid) for pid in left]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while not self.has_ended():
            time.sleep(0.01)
        return found

    def wait_for_instant(self, path: Path, draw: random.Random) -> str:
        """Wait for a random instant of a part of the run, also drawn; the part that it came in."""
        match draw.choice(["start", "training", "training", "test"]):
            case "start":
                self.sleep(draw.uniform(0.3, self.STARTING))
            case "training":
                self.wait_until_written(path / "metrics.jsonl")
                self.sleep(draw.uniform(0, 3))
            case "test":
                self.wait_until_written(path / "checkpoints" / "last.ckpt")
                self.sleep(draw.uniform(0, 1.5))
        if self.is_new(path / "checkpoints" / "last.ckpt"):
            return "test"
        if self.is_new(path / "metrics.jsonl"):
            return "training, validation"
        return "resuming" if (path / "config.resolved.yaml").exists() else "start"

    def sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.has_ended():
            time.sleep(0.01)

    def wait_until_written(self, file: Path) -> None:
        while not self.is_new(file) and not self.has_ended():
            time.sleep(0.01)

    def is_new(self, file: Path) -> bool:
        """Whether this start has written the file."""
        with suppress(FileNotFoundError):
            return file.stat().st_mtime > self.began
        return False

    def hit(self, kind: str, draw: random.Random) -> int | None:
        """Kill, or send a signal; the rank that was hit alone, if one was."""
        raise NotImplementedError

    def judge(self, kind: str, target: int | None, path: Path, place: str) -> list[str] | None:
        """What is wrong with the way in which it ended; None if it was not hit, since it had ended before."""
        raise NotImplementedError


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def running() -> Iterator[tuple[int, list[str]]]:
    """The processes that exist, but for those that have ended and are not yet waited for; with their environment."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and (environment := (folder / "environ").read_bytes()):
                yield int(folder.name), environment.decode(errors="replace").split("\0")


def described(pid: int) -> str:
    """The command of a process, its state, and what it waits for in the kernel."""
    folder, found = Path("/proc") / str(pid), []
    for name in ("cmdline", "stat", "wchan"):
        with suppress(OSError):
            found.append((folder / name).read_text().replace("\0", " ").strip()[:200])
    return " | ".join(found)


def session(pid: int) -> int:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return -1


def parent(pid: int) -> int:
    with suppress(OSError):
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return -1
