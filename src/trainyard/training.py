"""One training, whole: build, check, fit, test the best weights once, sum up."""

import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from trainyard import hardware
from trainyard.build import build
from trainyard.callbacks.finetune import Finetune
from trainyard.check import check
from trainyard.compose import Composed, compose, resolve
from trainyard.data.base import DataModule
from trainyard.data.draws import fold
from trainyard.data.text import Text
from trainyard.directory import RESOLVED, SUMMARY, TOKENIZER, create, name_run, write_config
from trainyard.errors import UserError, did_you_mean
from trainyard.loggers.metrics_file import MetricsFile
from trainyard.loggers.metrics_lines import cut_metrics, read_metrics
from trainyard.logs import log_to
from trainyard.pretrained import check_tokenizer, load_pretrained
from trainyard.reliability.checkpoints import DurableIO
from trainyard.reliability.explain import leave_word
from trainyard.reliability.files import write
from trainyard.reliability.folder import RunFolder
from trainyard.reliability.repeatable import Repeatable
from trainyard.reliability.resume import ResumePoints, logged_step, newest
from trainyard.reliability.stop import Stopped, end_workers
from trainyard.results import flat_hparams, log_hparams, print_results, summarise
from trainyard.resuming import check_links, check_same, finished, stored
from trainyard.run import Run, make_task
from trainyard.tasks.base import Task
from trainyard.typos import check_types

log = logging.getLogger(__name__)


def train(asked: Composed) -> Run | None:
    """Run the training that the config asks for, or go on with it where it was; None if it was only to be checked."""
    asked = stored(asked) if asked.cfg.resume else asked
    composed = replace(asked, cfg=deepcopy(asked.cfg))
    hardware.settle(composed.cfg.hardware)
    composed.cfg.run.name, path = name_run(composed)
    composed.cfg.run.dir = str(path)
    check_types(asked, compose)
    cfg = resolve(composed)
    resumes = (path / RESOLVED).exists() and not cfg.check
    if resumes:
        check_links(path)
        check_same(path, cfg)
        if run := finished(path, cfg):
            return run
    hardware.set_up(cfg.hardware)
    log.info("hardware: %s", hardware.describe(cfg.hardware))
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)

    point = newest(path / "checkpoints") if resumes else None
    task, data = build_both(cfg, composed.choices, with_weights=point is None)
    trainer = trainer_of_run(cfg, path, task, since=logged_step(point) if point else 0)
    data.prepare_data()
    data.setup("fit")
    if cfg.pretrained:
        check_tokenizer(cfg.pretrained, data)
    if cfg.check:
        check(task, data, make_trainer(cfg, [], [], fast_dev_run=True, enable_progress_bar=False))
        return None
    with RunFolder(path) as folder, crashes_told(path):
        if resumes:
            cut_metrics(path, logged_step(point) if point else 0)
            write_config(path, asked, cfg)
        else:
            create(path, asked, cfg)
        if isinstance(data, Text):
            (path / TOKENIZER).write_text(data.tokenizer_json())
        with log_to(path / "run.log"):
            folder.say("running")
            log.info("run: %s%s", path, f", goes on from {point.name}" if point else " begins anew" if resumes else "")
            summary = train_and_test(cfg, trainer, task, data, path, point)
            log_hparams(flat_hparams(cfg, composed.choices, composed.overrides), summary, trainer.loggers)
            print_results(summary, path, Path(cfg.run.root))
        folder.say("done", score=summary["score"])
    return Run(path)


def build_both(cfg: DictConfig, choices: dict[str, str], with_weights: bool) -> tuple[Task, DataModule]:
    """The task, its watched score checked, with its pretrained weights if it is to have them; and the data."""
    task = make_task(cfg, choices)
    data: DataModule = build(cfg.data, f"data={choices.get('data')}")
    check_monitor(cfg, task)
    if cfg.pretrained and with_weights:
        load_pretrained(task, cfg.pretrained, cfg.model, cfg.data)
    hardware.prepare(task.net, cfg.hardware)
    return task, data


def trainer_of_run(cfg: DictConfig, path: Path, task: Task, since: int) -> Trainer:
    """The Trainer with all that the config asks for; TensorBoard forgets what it was told from step `since` on."""
    callbacks = build_all(cfg, "callbacks")
    for callback in callbacks:
        if isinstance(callback, Finetune):
            callback.check(task.net)
            if callback.freeze and not cfg.pretrained:
                log.warning("callbacks=finetune freezes a base that nothing has trained; give pretrained=RUN")
    first = [callback for callback in callbacks if isinstance(callback, ResumePoints)]
    rest = [callback for callback in callbacks if callback not in first]
    cfg = deepcopy(cfg)
    for node in (cfg.get("logger") or {}).values():
        if since and node is not None and str(node.get("_target_")).endswith(".TensorBoardLogger"):
            node["purge_step"] = since
    loggers = [MetricsFile(path), *build_all(cfg, "logger")]
    return make_trainer(cfg, [*first, Repeatable(cfg.seed, fold), *rest], loggers)


def train_and_test(
    cfg: DictConfig, trainer: Trainer, task: Task, data: DataModule, path: Path, point: Path | None
) -> dict[str, Any]:
    """Fit, from `point` on if there is one, and read the test set once; the summary, which is written down."""
    started = time.time()
    fit(trainer, task, data, point)
    if cfg.get("test", True):  # runs of earlier versions have no word on it
        test_best(trainer, task, data)
    points = [callback for callback in trainer.callbacks if isinstance(callback, ResumePoints)]  # pyright: ignore
    seconds = points[0].seconds if points else time.time() - started
    summary = summarise(cfg, read_metrics(path), trainer, seconds)
    write(path / SUMMARY, lambda file: file.write((json.dumps(summary, indent=2) + "\n").encode()))
    return summary


@contextmanager
def crashes_told(path: Path) -> Iterator[None]:
    """Whatever ends a run but its user leaves its traceback in crash.txt, and a word on how to go on."""
    try:
        yield
    except BaseException as error:
        end_workers()
        if isinstance(error, Exception):
            leave_word(error, path)
        raise


def build_all(cfg: DictConfig, group: str) -> list[Any]:
    """The objects of a group whose entries are named; an entry that is null is left out."""
    nodes = {name: node for name, node in (cfg.get(group) or {}).items() if node is not None}
    if cfg.trainer.enable_progress_bar is False:
        nodes.pop("progress_bar", None)
    return [build(node, f"{group}.{name}") for name, node in nodes.items()]


def make_trainer(cfg: DictConfig, callbacks: list[Callback], logger: list[Logger], **changes: Any) -> Trainer:
    """Lightning's Trainer as the config has it, but for `changes`."""
    if cfg.trainer.overfit_batches:
        raise UserError("trainer.overfit_batches would undo the order of the data; use data.fraction=... instead")
    plugins = [build(node, "trainer.plugins") for node in cfg.trainer.plugins or []]
    changes = {"plugins": [*plugins, DurableIO()], **changes}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*GPU available but not used.*|.*MPS available but not used.*")
        return build(cfg.trainer, "trainer", callbacks=callbacks, logger=logger, **changes)


def fit(trainer: Trainer, task: Task, data: DataModule, point: Path | None) -> None:
    """Train, from a resume point on if there is one. A Ctrl-C, which Lightning turns into an exit, stays one."""
    try:
        trainer.fit(task, datamodule=data, ckpt_path=point, weights_only=True)
    except Stopped:
        log.info("stopped; go on with: python train.py resume=%s", trainer.default_root_dir)
        raise
    except SystemExit as error:
        if trainer.interrupted:
            raise KeyboardInterrupt from error
        raise


def test_best(trainer: Trainer, task: Task, data: DataModule) -> None:
    """Read the test set once, with the weights of the best checkpoint.

    A training that ended before its first validation is validated now, and its last weights are the best there are.
    """
    keeper = trainer.checkpoint_callback
    best = getattr(keeper, "best_model_path", "")
    if not best:
        log.warning("no best weights were kept: the last ones are validated and tested")
        trainer.validate(task, datamodule=data, verbose=False)
        if keeper is not None:
            trainer.save_checkpoint(Path(keeper.dirpath) / "best.ckpt", weights_only=False)  # pyright: ignore
    trainer.test(task, datamodule=data, ckpt_path=best or None, verbose=False, weights_only=True)


def check_monitor(cfg: DictConfig, task: Task) -> None:
    """UserError for a watched score that nothing logs, or whose direction would keep the worst weights."""
    if cfg.mode not in ("min", "max"):
        raise UserError(f"mode={cfg.mode} must be min or max")
    lower_is_better = any(word in cfg.monitor for word in ("loss", "perplexity", "error"))
    if lower_is_better != (cfg.mode == "min"):
        want = "min" if lower_is_better else "max"
        raise UserError(f"monitor={cfg.monitor} with mode={cfg.mode} would keep the worst weights; set mode={want}")
    watched = [node.get("monitor") for node in (cfg.get("callbacks") or {}).values() if node is not None]
    for name in [cfg.monitor, *filter(None, watched)]:
        if name not in task.scores():
            hint = did_you_mean(name, task.scores())
            raise UserError(f"monitor={name} is not a score of this task.{hint} It has {', '.join(task.scores())}.")
