"""The best trial again: with several seeds, each tested once at its end."""

import logging
from pathlib import Path

from optuna.trial import FrozenTrial

from trainyard.errors import UserError
from trainyard.reliability.folder import is_busy
from trainyard.reliability.stop import StopSignal
from trainyard.sweep.job import Jobs
from trainyard.sweep.options import Options
from trainyard.sweep.slots import Slots, environments

log = logging.getLogger(__name__)


def refit(trial: FrozenTrial, options: Options, jobs: Jobs, seed: int) -> list[Path]:
    """Train the best trial's config with `options.refit` seeds from `seed` on; the run directories that are finished.

    The same command goes on where it was, and leaves out what is done or what another process of the sweep does.
    """
    folders = [options.folder / f"best-{trial.number:04d}-seed{seed + i}" for i in range(options.refit)]
    waiting = [(folder, jobs.best_words(trial, folder, seed + i)) for i, folder in enumerate(folders)]
    failed = []
    with StopSignal() as signals, Slots(environments(options.n_jobs, options.slots)) as slots:
        while waiting or slots.running:
            while waiting and slots.free:
                folder, words = waiting.pop(0)
                if not is_busy(folder):
                    log.info("refit: trial %d in %s", trial.number, folder)
                    slots.start(folder, words, folder.with_suffix(".log"))
            failed += [ended.job for ended in slots.wait() if ended.code]
            if signals.received is not None:
                raise signals.error()  # at whose sight the slots are stopped
    for folder in failed:
        log.warning("%s did not finish; its %s says why", folder, folder.with_suffix(".log"))
    done = [folder for folder in folders if folder not in failed and not is_busy(folder)]
    if not done:
        raise UserError(f"hydra.sweeper.refit: no training finished; {folders[0].with_suffix('.log')} says why")
    return done
