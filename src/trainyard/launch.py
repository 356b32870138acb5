"""From a config to a process that trains. Several processes on one machine or many start here, when they come."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from trainyard.compose import Composed, compose, from_hydra
from trainyard.errors import UserError, explained
from trainyard.logs import log_to_console
from trainyard.reliability.stop import stopping_at_once

if TYPE_CHECKING:
    from trainyard.run import Run

log = logging.getLogger(__name__)
swept: list[Path] = []  # the runs of a sweep that this process has finished


def launch(composed: Composed) -> "Run | None":
    """Train in this process; None if check=true asked for no more than a look."""
    with stopping_at_once():
        # late: torch takes seconds to import, --help and typos need none
        from trainyard.training import train as train_here

        log_to_console()
        if composed.folder:
            log.info("\njob %s: %s", Path(composed.folder).name, " ".join(composed.overrides))
        return train_here(composed)


def job(cfg: DictConfig) -> float | None:
    """What Hydra calls, once or for each job of a sweep: the watched score, so that a sweep can rank the run."""
    with explained(cfg.debug):
        composed = from_hydra(cfg)
        sweep = composed.choices.get("sweep")
        if sweep not in (None, "null") and not composed.folder:
            raise UserError(f"sweep={sweep} runs many trainings: add -m (python train.py -m sweep={sweep})")
        run = launch(composed)
    if run and composed.folder:
        swept.append(run.path)
    return run.summary["score"] if run else None


def train_one(cfg: DictConfig) -> None:
    """What Hydra calls in the process of one trial of a sweep."""
    launch(from_hydra(cfg))


def train(overrides: list[str]) -> "Run":
    """Train from Python or a notebook: `train(["model=mlp", "data=xor"])`."""
    run = launch(compose(overrides))
    if run is None:
        raise UserError("check=true trains nothing; leave it out")
    return run
