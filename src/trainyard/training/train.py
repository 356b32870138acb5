"""One training from its config to its scores: validate, build, fit, test the best weights once, summarize."""

import logging
import os
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf

from trainyard.collectives import barrier, from_rank_zero
from trainyard.config.composition import Composed
from trainyard.config.validate import is_timeout
from trainyard.config_keys import flatten
from trainyard.data.base import DataModule
from trainyard.data.tabular import Tabular
from trainyard.data.text import Text
from trainyard.distributed.ranks import Ranks, find_ranks
from trainyard.durability.point_files import first_step_to_log, newest_intact
from trainyard.durability.resume_points import ResumePoints
from trainyard.durability.run_lock import RunLock, write_status
from trainyard.errors import UserError
from trainyard.files import remove_parts, unshare, write_durably
from trainyard.hardware.settings import configure_torch, describe
from trainyard.loggers import trackers
from trainyard.loggers.metrics_lines import read_metrics, truncate_metrics
from trainyard.logs import log_to_file
from trainyard.runs.directory import COLUMNS, RESOLVED, TOKENIZER, create, write_config
from trainyard.runs.hparams import hyperparameters, log_hparams
from trainyard.runs.origin import changed_code, check_same_data
from trainyard.runs.resume import finished_run
from trainyard.runs.run import Run
from trainyard.runs.summary import print_summary, summarize, write_summary
from trainyard.training.devices import process_count
from trainyard.training.dry_run import dry_run
from trainyard.training.factory import make_run_trainer, make_task_and_data, make_trainer, mode_callbacks
from trainyard.training.fitting import report_crashes, train_and_test
from trainyard.training.job import Job, prepare, write_job
from trainyard.training.pseudo_labels import check_labeler, write_pseudo_labels
from trainyard.training.setup import set_up
from trainyard.trust.safe_yaml import read_config

REFUSAL = 60.0  # seconds that processes wait for one another to be told that their hardware.timeout is none
log = logging.getLogger(__name__)


def run_training(requested: Composed) -> Run | None:
    """Run the requested training, or resume it; None for check=true, tune=NAME, and all processes but the first."""
    ranks = find_ranks()
    if ranks is not None and requested.cfg.get("tune"):
        raise UserError(f"tune={requested.choices['tune']} trains in one process: leave out torchrun, or srun")
    if ranks is not None and not requested.cfg.check:
        from trainyard.training.together import train_as_rank  # deferred: it imports this module

        timeout = requested.cfg.hardware.timeout
        path = train_as_rank(partial(prepare, requested, ranks), ranks, timeout if is_timeout(timeout) else REFUSAL)
        return Run(path) if path else None
    job = prepare(requested)
    if job.cfg.check:
        configure_torch(job.cfg.hardware)
        task, data, _ = build(job, None, None)
        once = {"fast_dev_run": True, "enable_progress_bar": False, "overfit_batches": 0.0, "profiler": None}
        alone = make_trainer(job.cfg, mode_callbacks(task), [], **once)
        dry_run(task, data, alone, job.cfg.hardware)
        return None
    if job.cfg.get("tune"):
        from trainyard.training.tune.tune import tune  # deferred: it imports matplotlib

        tune(job)
        return None
    with RunLock(job.path):
        if job.resumes and (run := finished_run(job.path, job.cfg)):
            return run
        if process_count(job.cfg) > 1:
            start_processes(job)
        else:
            train(job)
    return Run(job.path)


def start_processes(job: Job) -> None:
    """Train in several processes on this machine."""
    from trainyard.distributed.driver import drive  # deferred: one process needs none of it

    log.info("processes: %d, each with one device", process_count(job.cfg))
    hardware = job.cfg.hardware
    with TemporaryDirectory(prefix="trainyard-") as name:
        file = write_job(job, Path(name), os.getpid())
        words = ["-P", "-m", "trainyard.training.worker", str(file), str(os.getpid()), sys.argv[0]]
        drive(words, job.path, process_count(job.cfg), hardware.timeout, hardware.max_restarts, Path(name))


def train(job: Job, ranks: Ranks | None = None) -> None:
    """Train, in the only process or in each of several, of which the first alone writes."""
    cfg, path = job.cfg, job.path
    configure_torch(cfg.hardware, ranks.local_world_size if ranks else 1)
    resumes, point = from_rank_zero(lambda: (job.resumes, newest_intact(path / "checkpoints") if job.resumes else None))
    first_step = (first_step_to_log(point) if point else 0) if resumes else None
    task, data, trainer = build(job, point, first_step, ranks)
    if resumes and is_first(ranks):
        check_same_data(path, digests(data))
    with report_crashes(path), ExitStack() as held:
        if is_first(ranks):
            changed = changed_processes(job) if resumes else ""
            write_directory(job, data, first_step)
            held.enter_context(log_to_file(path / "run.log"))
            write_status(path, "running", job.owner)
            log.info("run: %s%s", path, f", resumed from {point.name}" if point else ", restarted" if resumes else "")
            held.enter_context(
                trackers.tracked(named_loggers(cfg, trainer), flatten(OmegaConf.to_container(cfg)), path)
            )
            if changed:
                log.info(changed)
            if resumes and (changed := changed_code(path)):
                log.warning("resumed with other code than at its beginning, so that its end may differ: %s", changed)
        started = time.monotonic()
        train_and_test(cfg, trainer, task, data, point)
        if is_first(ranks):
            conclude(job, trainer, time.monotonic() - started)


def named_loggers(cfg: DictConfig, trainer: Trainer) -> dict[str, Logger]:
    """The loggers of the config by their keys."""
    keys = [key for key, node in (cfg.get("logger") or {}).items() if node is not None]
    return dict(zip(keys, trainer.loggers, strict=False))  # behind them is metrics.jsonl


def changed_processes(job: Job) -> str:
    """What to say of a run that resumes with another number of processes; empty with as many as before."""
    before, now = process_count(DictConfig(read_config(job.path / RESOLVED))), process_count(job.cfg)
    if before == now:
        return ""
    return (
        f"resumed with {now} process{'' if now == 1 else 'es'} in place of {before}: the order of the data is the same,"
        " the numbers are equal but for their last digits"
    )


def is_first(ranks: Ranks | None) -> bool:
    """Whether this is the only process, or the one that writes for all."""
    return ranks is None or ranks.rank == 0


def conclude(job: Job, trainer: Trainer, seconds: float) -> None:
    """Write and print what came of a training; `seconds` took this process."""
    cfg, path = job.cfg, job.path
    points = [callback for callback in trainer.callbacks if isinstance(callback, ResumePoints)]  # pyright: ignore
    summary = summarize(cfg, read_metrics(path), trainer, points[0].seconds if points else seconds)
    write_summary(path, summary)
    log_hparams(hyperparameters(cfg, job.composed.choices, job.composed.overrides), summary, trainer.loggers)
    has_curves = any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers)
    print_summary(summary, path, Path(cfg.run.root), has_curves)
    write_status(path, "done", job.owner, score=summary["score"])


def build(
    job: Job, point: Path | None, first_step: int | None, ranks: Ranks | None = None
) -> tuple[LightningModule, LightningDataModule, Trainer]:
    """The parts of a training, its data read; `point` and `first_step` are those from which a run is resumed."""
    cfg = job.cfg
    log.info("hardware: %s", describe(cfg.hardware))
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    task, data = make_task_and_data(cfg, job.composed.choices, with_weights=point is None)
    if first_step is None:
        check_labeler(data, cfg)
    trainer = make_run_trainer(job, task, first_step, ranks, divides=isinstance(data, DataModule))
    for turn in range(2):  # one process of each machine alone prepares the data, which the others find prepared
        if turn == (ranks is not None and ranks.local_rank > 0):
            data.prepare_data()
        barrier()
    data.setup("fit")
    set_up(job, task, data, trainer, is_new=first_step is None)
    return task, data, trainer


def write_directory(job: Job, data: LightningDataModule, first_step: int | None) -> None:
    """Write what is going to run; in the directory of a run that resumes, remove what was logged from there on."""
    path = job.path
    if first_step is None:
        create(path, job.composed, job.cfg, digests(data))
    else:
        remove_parts(path)
        truncate_metrics(path, first_step)
        unshare(path / "run.log")
        write_config(path, job.composed, job.cfg)
    if isinstance(data, Text):
        write_durably(path / TOKENIZER, lambda file: file.write(data.tokenizer_json().encode()))
    write_pseudo_labels(data, path)
    if isinstance(data, Tabular):
        write_durably(path / COLUMNS, lambda file: file.write(data.encoder.to_json().encode()))


def digests(data: LightningDataModule) -> dict[str, str]:
    """What tells the data from other data, by split; empty for a data module that is not Trainyard's."""
    return data.digests() if isinstance(data, DataModule) else {}
