"""Slots in which trials run, each a process of its own: what one breaks costs one trial."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from trainyard import compose
from trainyard.sweep.child import run
from trainyard.sweep.server import context

LOOK = 0.2  # seconds between two looks at the processes
PATIENCE = 60.0  # seconds that a training has to write its resume point


@dataclass(frozen=True)
class Ended:
    """A process that is over."""

    job: Any
    code: int


class Slots:
    """As many places as `environments`, each with its own; at the end of `with`, what is left running is stopped."""

    def __init__(self, environments: list[dict[str, str]]) -> None:
        self.free = dict(enumerate(environments))
        self.running: dict[int, tuple[Any, BaseProcess, dict[str, str]]] = {}

    def __enter__(self) -> "Slots":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    def start(self, job: Any, words: list[str], log: Path) -> None:
        """Run a training with these words in a free slot; what it prints goes to `log`."""
        slot, environment = self.free.popitem()
        log.parent.mkdir(parents=True, exist_ok=True)
        process = context().Process(target=run, args=(words, compose.named_conf(), environment, str(log)))
        process.start()
        self.running[slot] = (job, process, environment)

    def wait(self) -> list[Ended]:
        """After a moment, the processes that are over."""
        time.sleep(LOOK)
        return self.ended()

    def ended(self) -> list[Ended]:
        """The processes that are over since the last look; their slots are free again."""
        over = []
        for slot, (job, process, environment) in list(self.running.items()):
            if process.exitcode is not None:
                process.join()
                over.append(Ended(job, process.exitcode))
                del self.running[slot]
                self.free[slot] = environment
        return over

    def stop(self, number: int) -> list[Ended]:
        """Send all a signal, and wait for their end; those that take too long are killed."""
        for _, process, _ in self.running.values():
            send(process, number)
        until = time.monotonic() + PATIENCE
        for _, process, _ in self.running.values():
            process.join(max(0.0, until - time.monotonic()))
            send(process, signal.SIGKILL)
            process.join()
        return self.ended()


def send(process: BaseProcess, number: int) -> None:
    """A signal to a training and its data workers, if it runs."""
    if process.pid is None or process.exitcode is not None:
        return
    with suppress(ProcessLookupError):  # over, or not yet the head of its group
        os.killpg(process.pid, number) if number == signal.SIGKILL else os.kill(process.pid, number)
    if number == signal.SIGKILL:
        process.kill()


def environments(n_jobs: int, given: list[dict[str, str]]) -> list[dict[str, str]]:
    """An environment for each slot: those given, by turns; else a GPU each, where there are several."""
    if not given and n_jobs > 1:
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = named.split(",") if named else all_gpus()
        given = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] if len(gpus) > 1 else []
    return [given[slot % len(given)] if given else {} for slot in range(n_jobs)]


def all_gpus() -> list[str]:
    """The numbers of this machine's GPUs."""
    import torch  # late: a sweep needs it for nothing else

    return [str(gpu) for gpu in range(torch.cuda.device_count())]
