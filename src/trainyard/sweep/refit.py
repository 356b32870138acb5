"""Train the best trial's config again with several seeds, each tested once at its end."""

import logging
from pathlib import Path

from optuna.trial import FrozenTrial

from trainyard.durability.run_lock import is_locked
from trainyard.durability.signals import StopSignal
from trainyard.errors import UserError
from trainyard.sweep.options import Options
from trainyard.sweep.slots import Slots, slot_environments
from trainyard.sweep.trial_run import TrialRuns

log = logging.getLogger(__name__)


def refit(trial: FrozenTrial, options: Options, runs: TrialRuns, seed: int) -> list[Path]:
    """Train with `options.refit` seeds from `seed` on, and return the finished run directories.

    The same command continues where it was, and leaves out what is done or what another process of the sweep does.
    """
    folders = [options.folder / f"best-{trial.number:04d}-seed{seed + i}" for i in range(options.refit)]
    waiting = [(folder, runs.refit_overrides(trial, folder, seed + i)) for i, folder in enumerate(folders)]
    failed = []
    with StopSignal() as signals, Slots(slot_environments(options.n_jobs, options.slots)) as slots:
        while waiting or slots.running:
            while waiting and slots.free:
                folder, words = waiting.pop(0)
                if not is_locked(folder):
                    log.info("refit: trial %d in %s", trial.number, folder)
                    slots.start(folder, words, folder.with_suffix(".log"))
            failed += [ended.job for ended in slots.wait() if ended.code]
            if signals.received is not None:
                raise signals.error()  # which stops the slots
    for folder in failed:
        log.warning("%s did not finish; see %s", folder, folder.with_suffix(".log"))
    done = [folder for folder in folders if folder not in failed and not is_locked(folder)]
    if not done:
        raise UserError(f"hydra.sweeper.refit: no training finished; see {folders[0].with_suffix('.log')}")
    return done
