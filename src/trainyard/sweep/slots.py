"""Slots in which trials run, each a process of its own: a crash costs one trial."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from trainyard.config.user_conf import user_conf_argument
from trainyard.errors import UserError
from trainyard.sweep.fork_server import context
from trainyard.sweep.trial_process import run_trial

POLL_INTERVAL = 0.2  # seconds
POLL_WAITING = 1.0  # seconds, while only other processes of the sweep work
STOP_TIMEOUT = 60.0  # seconds that a training has to write its resume point


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    job: Any
    code: int


class Slots:
    """One slot for each of `environments`; at the end of `with`, whatever still runs is stopped."""

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
        process = context().Process(target=run_trial, args=(words, user_conf_argument(), environment, str(log)))
        process.start()
        self.running[slot] = (job, process, environment)

    def wait(self) -> list[Ended]:
        """Wait POLL_INTERVAL seconds, and return the processes that have ended."""
        time.sleep(POLL_INTERVAL)
        return self.collect()

    def collect(self) -> list[Ended]:
        """Free the slots of the processes that have ended since the last call, and return these."""
        ended = []
        for slot, (job, process, environment) in list(self.running.items()):
            if process.exitcode is not None:
                process.join()
                ended.append(Ended(job, process.exitcode))
                del self.running[slot]
                self.free[slot] = environment
        return ended

    def stop(self, number: int) -> list[Ended]:
        """Send a signal to all, and wait until they have ended; those that take too long are killed."""
        for _, process, _ in self.running.values():
            send(process, number)
        until = time.monotonic() + STOP_TIMEOUT
        for _, process, _ in self.running.values():
            process.join(max(0.0, until - time.monotonic()))
            send(process, signal.SIGKILL)
            process.join()
        return self.collect()


def send(process: BaseProcess, number: int) -> None:
    """Send a signal to a training that runs; SIGKILL also to its data workers."""
    if process.pid is None or process.exitcode is not None:
        return
    with suppress(ProcessLookupError):  # ended, or not yet the leader of its group
        os.killpg(process.pid, number) if number == signal.SIGKILL else os.kill(process.pid, number)
    if number == signal.SIGKILL:
        process.kill()


def slot_environments(n_jobs: int, given: list[dict[str, str]], devices: int = 1) -> list[dict[str, str]]:
    """The environment variables of each slot: those given, in turn; else `devices` GPUs each, where there are more.

    UserError if there are GPUs, but fewer than one trial needs.
    """
    if not given and n_jobs > 1:
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = named.split(",") if named else _all_gpus()
        if gpus and len(gpus) < devices:
            raise UserError(f"hardware.devices={devices}, and this machine has {len(gpus)} GPUs; use fewer")
        groups = [gpus[first : first + devices] for first in range(0, len(gpus) - devices + 1, devices)]
        given = [{"CUDA_VISIBLE_DEVICES": ",".join(group)} for group in groups] if len(gpus) > devices else []
    return [given[slot % len(given)] if given else {} for slot in range(n_jobs)]


def _all_gpus() -> list[str]:
    """The indices of this machine's GPUs."""
    import torch  # deferred: a sweep needs it for nothing else

    return [str(gpu) for gpu in range(torch.cuda.device_count())]
