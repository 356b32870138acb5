"""Fit a network, test its best weights once, and say what to do where it was stopped or has failed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig

from trainyard.data.base import DataModule
from trainyard.data.lightning_data import has_loader
from trainyard.distributed.failures import LOST, kind_of
from trainyard.durability.crash_report import write_crash_report
from trainyard.durability.resume_points import ResumePoints
from trainyard.durability.signals import Stopped, kill_data_workers
from trainyard.errors import train_command
from trainyard.tasks.base import Task

log = logging.getLogger(__name__)


def train_and_test(
    cfg: DictConfig, trainer: Trainer, task: LightningModule, data: LightningDataModule, point: Path | None
) -> None:
    """Fit, from the resume point `point` if given, and test once."""
    if not isinstance(task, Task):
        log.info(
            "%s is no task of Trainyard: a resumed run starts its last epoch again, and ends with the same bits if "
            "it draws from torch's, numpy's and Python's own generators and its checkpoint has its state",
            type(task).__name__,
        )
    elif not isinstance(data, DataModule):
        log.info(
            "%s is not a DataModule of Trainyard: resume points are written between epochs, not within one",
            type(data).__name__,
        )
    if not isinstance(data, DataModule) and trainer.world_size > 1:
        log.warning(
            "each of the %d processes has batches of its size, and validation and test may count samples twice to "
            "give all of them as many",
            trainer.world_size,
        )
    try:
        fit(trainer, task, data, point)
        if cfg.get("test", True):  # runs of version 0.1 may not have the key
            test_best(trainer, task, data)
    finally:
        trainer.profiler.teardown(None)  # pyright: ignore  # after an error, Lightning leaves torch's recorder on


@contextmanager
def report_crashes(path: Path) -> Iterator[None]:
    """Leave the traceback of any error in crash.txt, and say how to continue."""
    try:
        yield
    except BaseException as error:
        kill_data_workers()
        if isinstance(error, Exception) and kind_of(error) != LOST:  # then another process has an error of its own
            write_crash_report(error, path)
        raise


def fit(trainer: Trainer, task: LightningModule, data: LightningDataModule, point: Path | None) -> None:
    """Train, from a resume point on if there is one."""
    with raise_interrupts(trainer):
        trainer.fit(task, datamodule=data, ckpt_path=point, weights_only=True)
        for callback in trainer.callbacks:  # pyright: ignore
            if isinstance(callback, ResumePoints):  # a signal came after the last batch: a resumed run tests
                callback.agreement.reach(callback.stop, now=True)
                callback.agreement.raise_if_stopped()


@contextmanager
def raise_interrupts(trainer: Trainer) -> Iterator[None]:
    """Say how to continue a training or test that was stopped; raise Ctrl-C, which Lightning turns into an exit."""
    try:
        yield
    except SystemExit as error:
        if isinstance(error, Stopped) or trainer.interrupted:
            log.info("stopped; continue with: %s resume=%s", train_command(), trainer.default_root_dir)
        if trainer.interrupted and not isinstance(error, Stopped):
            raise KeyboardInterrupt from error
        raise


def test_best(trainer: Trainer, task: LightningModule, data: LightningDataModule) -> None:
    """Evaluate the best checkpoint on the test set, once; nothing where other people's code has no test.

    A training that ended before its first validation is validated now, and its last weights are the best ones.
    """
    if (lacking := lacks(task, data, "test")) and not isinstance(task, Task):
        log.info("nothing is tested: %s", lacking)
        return
    checkpoint = trainer.checkpoint_callback
    best = getattr(checkpoint, "best_model_path", "")
    with raise_interrupts(trainer):
        if not best:
            log.warning("no best weights were kept: the last ones are validated and tested")
            if not lacks(task, data, "val"):
                trainer.validate(task, datamodule=data, verbose=False)
            if checkpoint is not None:
                trainer.save_checkpoint(Path(checkpoint.dirpath) / "best.ckpt", weights_only=False)  # pyright: ignore
        trainer.test(task, datamodule=data, ckpt_path=best or None, verbose=False, weights_only=True)


def lacks(task: LightningModule, data: LightningDataModule, split: str) -> str:
    """Why a split cannot be scored: a step or a loader that is not there; empty if both are."""
    step = {"val": "validation_step", "test": "test_step"}[split]
    if not is_overridden(step, task, LightningModule):
        return f"{type(task).__name__} has no {step}"
    return "" if has_loader(data, split) else f"{type(data).__name__} has no {split}_dataloader"
