"""One training from its config to its scores: validate, build, fit, test the best weights once, summarize."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import lightning
from lightning import LightningDataModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig

from trainyard.config.composition import Composed
from trainyard.config.override_types import check_override_types
from trainyard.config.resolve import resolve
from trainyard.config.validate import validate
from trainyard.data.base import DataModule
from trainyard.data.text import Text
from trainyard.durability.crash_report import write_crash_report
from trainyard.durability.resume_points import ResumePoints, first_step_to_log, newest_intact
from trainyard.durability.run_lock import RunLock
from trainyard.durability.signals import Stopped, kill_data_workers
from trainyard.errors import train_command
from trainyard.files import remove_parts, unshare, write_durably
from trainyard.loggers.metrics_lines import read_metrics, truncate_metrics
from trainyard.logs import log_to_file
from trainyard.runs.directory import RESOLVED, TOKENIZER, create, name_run, write_config
from trainyard.runs.hparams import hyperparameters, log_hparams
from trainyard.runs.origin import changed_code, check_same_data
from trainyard.runs.resume import check_links, finished_run, load_stored_config
from trainyard.runs.run import Run
from trainyard.runs.summary import print_summary, summarize, write_summary
from trainyard.tasks.base import Task
from trainyard.training.dry_run import dry_run
from trainyard.training.factory import make_run_trainer, make_task_and_data, make_trainer
from trainyard.training.hardware import configure_torch, describe, resolve_auto
from trainyard.training.pretrained import check_tokenizer
from trainyard.trust.safe_yaml import read_config

log = logging.getLogger(__name__)


def run_training(requested: Composed) -> Run | None:
    """Run the requested training, or resume it; return None for a dry run (check=true)."""
    check_override_types(requested)
    composed = load_stored_config(requested) if requested.cfg.resume else requested
    cfg, path = resolve_run(composed)
    resumes = (path / RESOLVED).exists() and not cfg.check
    if not cfg.check:
        check_links(path, requested.cfg.trust)
    validate(composed, cfg, started=read_config(path / RESOLVED) if resumes else None)
    configure_torch(cfg.hardware)
    if cfg.check:
        task, data, _ = build(composed, cfg, path, None, None)
        dry_run(task, data, make_trainer(cfg, [], [], fast_dev_run=True, enable_progress_bar=False))
        return None
    with ExitStack() as held:
        lock = RunLock(path)
        if resumes:  # before it is decided from where: another process may just be writing the newest point
            held.enter_context(lock)
            if run := finished_run(path, cfg):
                return run
        point = newest_intact(path / "checkpoints") if resumes else None
        first_step = (first_step_to_log(point) if point else 0) if resumes else None
        task, data, trainer = build(composed, cfg, path, point, first_step)
        if resumes:
            check_same_data(path, digests(data))
        else:  # this makes the directory, which a refusal above does not leave behind
            held.enter_context(lock)
        held.enter_context(report_crashes(path))
        write_directory(composed, cfg, path, data, first_step)
        held.enter_context(log_to_file(path / "run.log"))
        lock.write_status("running")
        log.info("run: %s%s", path, f", resumed from {point.name}" if point else ", restarted" if resumes else "")
        if resumes and (changed := changed_code(path)):
            log.warning("resumed with other code than at its beginning, so that its end may differ: %s", changed)
        summary = train_and_test(cfg, trainer, task, data, path, point)
        log_hparams(hyperparameters(cfg, composed.choices, composed.overrides), summary, trainer.loggers)
        has_curves = any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers)
        print_summary(summary, path, Path(cfg.run.root), has_curves)
        lock.write_status("done", score=summary["score"])
    return Run(path)


def build(
    composed: Composed, cfg: DictConfig, path: Path, point: Path | None, first_step: int | None
) -> tuple[Task, LightningDataModule, Trainer]:
    """The parts of a training, its data read; `point` and `first_step` are those from which a run is resumed."""
    log.info("hardware: %s", describe(cfg.hardware))
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    task, data = make_task_and_data(cfg, composed.choices, with_weights=point is None)
    trainer = make_run_trainer(cfg, path, task, first_step)
    data.prepare_data()
    data.setup("fit")
    if cfg.pretrained:
        check_tokenizer(cfg.pretrained, data)
    return task, data, trainer


def write_directory(
    composed: Composed, cfg: DictConfig, path: Path, data: LightningDataModule, first_step: int | None
) -> None:
    """Write what is going to run; in the directory of a run that resumes, remove what was logged from there on."""
    if first_step is None:
        create(path, composed, cfg, digests(data))
    else:
        remove_parts(path)
        truncate_metrics(path, first_step)
        unshare(path / "run.log")
        write_config(path, composed, cfg)
    if isinstance(data, Text):
        write_durably(path / TOKENIZER, lambda file: file.write(data.tokenizer_json().encode()))


def digests(data: LightningDataModule) -> dict[str, str]:
    """What tells the data from other data, by split; empty for a data module that is not Trainyard's."""
    return data.digests() if isinstance(data, DataModule) else {}


def resolve_run(composed: Composed) -> tuple[DictConfig, Path]:
    """The config with plain values alone: what `auto` means on this machine, the run's name; and its directory."""
    name, path = name_run(composed)
    decided = {"run.name": name, "run.dir": str(path), **resolve_auto(composed.cfg.hardware)}
    return resolve(composed, decided), path


def train_and_test(
    cfg: DictConfig, trainer: Trainer, task: Task, data: LightningDataModule, path: Path, point: Path | None
) -> dict[str, Any]:
    """Fit, from the resume point `point` if given, test once, and write and return the run's summary."""
    started = time.time()
    if not isinstance(data, DataModule):
        log.info(
            "%s is not a DataModule of Trainyard: resume points are written between epochs, not within one",
            type(data).__name__,
        )
    fit(trainer, task, data, point)
    if cfg.get("test", True):  # runs of version 0.1 may not have the key
        test_best(trainer, task, data)
    points = [callback for callback in trainer.callbacks if isinstance(callback, ResumePoints)]  # pyright: ignore
    seconds = points[0].seconds if points else time.time() - started
    summary = summarize(cfg, read_metrics(path), trainer, seconds)
    write_summary(path, summary)
    return summary


@contextmanager
def report_crashes(path: Path) -> Iterator[None]:
    """Leave the traceback of any error in crash.txt, and say how to continue."""
    try:
        yield
    except BaseException as error:
        kill_data_workers()
        if isinstance(error, Exception):
            write_crash_report(error, path)
        raise


def fit(trainer: Trainer, task: Task, data: LightningDataModule, point: Path | None) -> None:
    """Train, from a resume point on if there is one."""
    with raise_interrupts(trainer):
        trainer.fit(task, datamodule=data, ckpt_path=point, weights_only=True)
        for callback in trainer.callbacks:  # pyright: ignore
            if isinstance(callback, ResumePoints) and callback.stop.received is not None:
                raise callback.stop.error()  # received after the last batch: the test is left to a resumed run


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


def test_best(trainer: Trainer, task: Task, data: LightningDataModule) -> None:
    """Evaluate the best checkpoint on the test set, once.

    A training that ended before its first validation is validated now, and its last weights are the best ones.
    """
    checkpoint = trainer.checkpoint_callback
    best = getattr(checkpoint, "best_model_path", "")
    with raise_interrupts(trainer):
        if not best:
            log.warning("no best weights were kept: the last ones are validated and tested")
            trainer.validate(task, datamodule=data, verbose=False)
            if checkpoint is not None:
                trainer.save_checkpoint(Path(checkpoint.dirpath) / "best.ckpt", weights_only=False)  # pyright: ignore
        trainer.test(task, datamodule=data, ckpt_path=best or None, verbose=False, weights_only=True)
