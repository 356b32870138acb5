"""Train the best trial's config again with several seeds, each tested once at its end."""

import logging
import signal
import time
from pathlib import Path

from optuna.trial import FrozenTrial

from trainyard.durability.run_lock import is_locked, read_status
from trainyard.durability.signals import StopSignal
from trainyard.errors import UserError
from trainyard.sweep.heartbeat import Heartbeat
from trainyard.sweep.options import Options
from trainyard.sweep.slots import POLL_WAITING, Slots, slot_environments
from trainyard.sweep.storage import is_file
from trainyard.sweep.trial_queue import CLAIM_DELAY, NOBODY
from trainyard.sweep.trial_run import TrialRuns

DONE, FAILED = "done", "failed in "  # what the study says of a training; else who owns it
log = logging.getLogger(__name__)


class Refit:
    """Trainings with `options.refit` seeds from `seed` on, which the processes of a sweep share.

    Each is done once. That of a process that died is taken over, and the same command continues what was stopped.
    """

    def __init__(self, trial: FrozenTrial, options: Options, runs: TrialRuns, heartbeat: Heartbeat, seed: int) -> None:
        self.trial, self.options, self.runs, self.heartbeat = trial, options, runs, heartbeat
        folders = {i: options.folder / f"best-{trial.number:04d}-seed{i}" for i in range(seed, seed + options.refit)}
        self.waiting = {folder: runs.refit_overrides(trial, folder, i) for i, folder in folders.items()}
        self.folders, self.failed = list(self.waiting), []
        self.earlier = {folder: self.state(folder) for folder in self.folders}  # a failure before this is tried again

    def run(self) -> list[Path]:
        """Train, and return the run directories on this machine that are finished; UserError if all failed."""
        environments = slot_environments(self.options.n_jobs, self.options.slots, self.runs.devices)
        is_waiting = False
        with StopSignal() as signals, Slots(environments) as slots:
            while self.waiting or slots.running:
                self.fill(slots)
                if self.waiting and not slots.running:
                    if not is_waiting:
                        log.info("waiting for the refit of other processes, to continue it if these die")
                    is_waiting = True
                    time.sleep(POLL_WAITING)
                for ended in slots.wait() if signals.received is None else slots.stop(signal.SIGTERM):
                    failed = NOBODY if signals.received is not None else FAILED + self.heartbeat.name
                    self.end(ended.job, failed if ended.code else DONE)
                if signals.received is not None and not slots.running:
                    raise signals.error()
        for folder in self.failed:
            log.warning("%s did not finish; see %s", folder, folder.with_suffix(".log"))
        if len(self.failed) == len(self.folders):
            raise UserError(f"hydra.sweeper.refit: no training finished; see {self.folders[0].with_suffix('.log')}")
        return [folder for folder in self.folders if is_done(folder)]

    def fill(self, slots: Slots) -> None:
        """Start trainings in the free slots, and leave out what has ended elsewhere."""
        for folder in list(self.waiting):
            state = self.state(folder)
            if state == DONE and (is_done(folder) or not is_file(self.options.location)):  # else it was deleted
                del self.waiting[folder]
            elif state.startswith(FAILED) and state != self.earlier[folder]:
                del self.waiting[folder]
                self.failed.append(folder)
            elif slots.free and self.claim(folder, state):
                log.info("refit: trial %d in %s", self.trial.number, folder)
                slots.start(folder, self.waiting.pop(folder), folder.with_suffix(".log"))

    def claim(self, folder: Path, state: str) -> bool:
        """Whether this process gets a training: of several that want it, the last to mark it as owner."""
        is_free = state in (DONE, NOBODY) or state.startswith(FAILED) or self.heartbeat.is_dead(state)
        if not is_free or is_locked(folder):
            return False
        self.mark(folder, self.heartbeat.name)
        time.sleep(CLAIM_DELAY)
        return self.state(folder) == self.heartbeat.name

    def end(self, folder: Path, state: str) -> None:
        """Record how a training of this process ended."""
        if state.startswith(FAILED):
            self.failed.append(folder)
        if self.state(folder) == self.heartbeat.name:
            self.mark(folder, state)

    def state(self, folder: Path) -> str:
        """What the study says of a training."""
        return self.heartbeat.study.user_attrs.get(f"refit {folder.name}", NOBODY)

    def mark(self, folder: Path, state: str) -> None:
        """Have the study say so."""
        self.heartbeat.study.set_user_attr(f"refit {folder.name}", state)


def is_done(folder: Path) -> bool:
    """Whether a training is finished."""
    return read_status(folder).get("state") == "done"
