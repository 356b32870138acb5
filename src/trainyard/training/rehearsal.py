"""Try a LightningModule on one batch before its run begins: what does not fit is refused, and its scores are known."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning import LightningDataModule, Trainer
from omegaconf import DictConfig

from trainyard.config.instantiate import instantiate_task
from trainyard.config.validate import check_monitored_scores
from trainyard.data.loading.hashing import seeded
from trainyard.errors import UserError
from trainyard.training.generators import generators_kept

LOGGERS = ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.seed")


def rehearse(cfg: DictConfig, choices: Mapping[str, str], data: LightningDataModule, trainer: Trainer) -> list[str]:
    """Train and validate a copy of the module on a batch of each (`trainer` has fast_dev_run); the scores it logs.

    The module itself, and every generator, stay as they are. UserError if it fails, with what it said.
    """
    with seeded(0), generators_kept(data), _quiet():
        copy: Any = instantiate_task(cfg, choices)
        try:
            trainer.fit(copy, datamodule=data)
        except Exception as error:  # whatever other people's code raises
            text = (str(error).strip().splitlines() or [""])[0]
            raise UserError(
                f"model={choices.get('model')}: {type(copy).__name__} fails on its first batch: "
                f"{type(error).__name__}: {text}; debug=true shows the traceback"
            ) from error
    return list(trainer.callback_metrics)


def check_logged(cfg: DictConfig, module: Any, logged: list[str]) -> str:
    """A sentence about what the module logs, for the run's log; UserError if what is monitored is not among it."""
    name = type(module).__name__
    check_monitored_scores(cfg, logged, name)
    if cfg.monitor is not None:
        return ""
    listed = f"it logs {', '.join(logged)} (monitor=NAME mode=min or max keeps the best)" if logged else "it logs none"
    return f"no score of {name} is monitored, so that its last weights are kept and tested; {listed}"


@contextmanager
def _quiet() -> Iterator[None]:
    """No lines and warnings about a trial of one batch."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
