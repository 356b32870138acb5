"""From a config to a process that trains, or to several."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from trainyard.config.compose import compose, run_hydra
from trainyard.config.composition import COMPOSITION_ERRORS, Composed, from_hydra
from trainyard.config.multirun import begin_command, is_elsewhere
from trainyard.distributed.ranks import find_ranks, is_follower
from trainyard.durability.signals import exit_on_signal
from trainyard.errors import LostProcessError, UserError, exit_on_error, short_traceback, train_command
from trainyard.hardware.memory_limit import check_memory_limit
from trainyard.logs import log_to_console, silence

if TYPE_CHECKING:
    from trainyard.runs.run import Run

log = logging.getLogger(__name__)
finished_jobs: list[Path] = []  # the run directories of the jobs of -m that this process has finished


def run_jobs(words: list[str]) -> list[Path]:
    """Hand the words of the command line to Hydra; the run directories of the jobs of -m that have finished."""
    finished_jobs.clear()
    begin_command()
    try:
        run_hydra(hydra_job, words)
    except UserError as error:
        is_of_words = isinstance(error.__cause__, COMPOSITION_ERRORS)  # the same in all processes of a machine
        if is_of_words and (ranks := find_ranks()) and ranks.local_rank:
            raise LostProcessError(str(error)) from error
        raise
    return list(finished_jobs)


def launch(composed: Composed) -> "Run | None":
    """Train in this process; None if check=true or tune=NAME asked for no run."""
    with exit_on_signal():
        check_memory_limit()
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else connections that end are reported by torch as well
        from trainyard.training.train import run_training  # deferred: torch takes seconds to import

        log_to_console()
        if is_follower():
            silence()
        if composed.job_dir:
            log.info("\njob %s: %s", Path(composed.job_dir).name, " ".join(composed.overrides))
        return run_training(composed)


def hydra_job(cfg: DictConfig) -> float | None:
    """Run one Hydra job and return its monitored score, by which a sweep can rank the run."""
    with exit_on_error(cfg.debug or is_elsewhere()):  # where a launcher hands errors over to the command's process
        composed = from_hydra(cfg)
        sweep = composed.choices.get("sweep")
        if sweep not in (None, "null") and not composed.job_dir:
            raise UserError(f"sweep={sweep} runs many trainings: add -m ({train_command()} -m sweep={sweep})")
        run = launch(composed)
    if run and composed.job_dir:
        finished_jobs.append(run.path)
    return run.summary["score"] if run else None


def hydra_trial(cfg: DictConfig) -> None:
    """Run one trial of a sweep, in its own process."""
    launch(from_hydra(cfg))


@short_traceback
def train(overrides: list[str]) -> "Run":
    """Train from Python or a notebook: `train(["model=mlp", "data=xor"])`; debug=true shows whole tracebacks."""
    if isinstance(overrides, str):
        raise UserError(f"train takes a list of overrides: train([{overrides!r}])")
    run = launch(compose(overrides))
    if run is None:
        raise UserError("check=true trains nothing, and tune=NAME makes no run; leave them out")
    return run
