"""From a validated config to the parts of a training: task, data, callbacks, loggers, Trainer."""

import logging
import warnings
from copy import deepcopy
from typing import Any

from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    BatchSizeFinder,
    Checkpoint,
    LearningRateFinder,
    LearningRateMonitor,
    ProgressBar,
    WeightAveraging,
)
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import LightningEnvironment
from omegaconf import DictConfig

from trainyard.callbacks.finetune import Finetune
from trainyard.callbacks.lookahead import Lookahead
from trainyard.callbacks.schedule_free import ScheduleFree
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.validate import check_monitored_scores, refuse_wrong_mode
from trainyard.data.lightning_data import Loaders, seed_setup
from trainyard.data.loading.hashing import seeded, stable_hash
from trainyard.distributed.ranks import Ranks
from trainyard.distributed.strategy import WrapAgain, strategy_arguments
from trainyard.durability.checkpoint_io import DurableIO
from trainyard.durability.lightning_private import handle_no_signals
from trainyard.durability.resume_points import ResumePoints
from trainyard.durability.resumed_epoch import ResumedEpoch
from trainyard.durability.seeding import SeedEachBatch
from trainyard.errors import UserError
from trainyard.hardware.settings import prepare_network
from trainyard.loggers import trackers
from trainyard.loggers.metrics_file import MetricsFile
from trainyard.optim.groups import describe_kinds
from trainyard.optim.signature import has_modes, splits_hidden
from trainyard.tasks.base import Task
from trainyard.tasks.distillation import Distillation
from trainyard.tasks.lightning_module import network_of
from trainyard.tasks.metrics import OfPredictions
from trainyard.training.devices import process_count
from trainyard.training.job import Job
from trainyard.training.pretrained import load_pretrained
from trainyard.training.teacher import load_teacher

log = logging.getLogger(__name__)
PURGING = (".TensorBoardLogger", ".StageLogger")  # loggers that can drop what was logged from a step on
TUNER = (
    "{} trains and changes the config before the run begins, so that the run could not be repeated or resumed. Set "
    "data.batch_size=... (tune=batch_size finds the largest) and optimizer.lr=... (tune=lr suggests one)"
)


def make_task_and_data(
    cfg: DictConfig, choices: dict[str, str], with_weights: bool
) -> tuple[LightningModule, LightningDataModule]:
    """The task, `with_weights` also with its pretrained weights if the config names some, and the data."""
    task: LightningModule = instantiate_task(cfg, choices)
    with seeded(0):  # other people's data may be drawn as they are built, and again when the run is evaluated
        data = seed_setup(instantiate(cfg.data, f"data={choices.get('data')}"))
    use_own_loaders(task, data)
    if isinstance(task, Task):
        check_task(task, cfg)
    elif cfg.pretrained:
        raise UserError(f"pretrained={cfg.pretrained}: {type(task).__name__} reads its own weights; leave it out")
    if cfg.pretrained and with_weights:
        load_pretrained(task, cfg.pretrained, cfg.model, cfg.data)
    if splits_hidden(optimizer_of(task)):
        log.info("optimizer: %s", describe_kinds(task.parameter_groups()))  # pyright: ignore
    prepare_network(network_of(task), cfg.hardware, process_count(cfg))
    return task, data


def check_task(task: Task, cfg: DictConfig) -> None:
    """Check what a task logs, and whether its weights can be divided; give one that distills its teacher."""
    check_monitored_scores(cfg, task.scores())
    refuse_wrong_mode(cfg, better_value(task, cfg.monitor))
    if task.whiten and cfg.pretrained:
        raise UserError(
            f"task.whiten={task.whiten} would replace filters that pretrained={cfg.pretrained} brings; leave one out"
        )
    if cfg.hardware.strategy == "fsdp" and any(True for _ in task.parameters(recurse=False)):
        raise UserError(f"hardware=fsdp divides the network alone, and {type(task).__name__} has weights of its own")
    if isinstance(task, Distillation):
        load_teacher(task, cfg)


def use_own_loaders(task: LightningModule, data: LightningDataModule) -> None:
    """Let data=lightning without any loader have those of the LightningModule."""
    if isinstance(data, Loaders):
        try:
            data.take_from(task)
        except ValueError as error:
            raise UserError(f"data=lightning: {error}") from error


def better_value(task: Task, score: str) -> str | None:
    """`min` or `max`, which is better of a score, as its metric says; None if it does not."""
    stage, _, name = score.partition("/")
    metric = task.stage_meters(stage).get(name) if f"{stage}/" in task.meters else None
    metric = metric.metric if isinstance(metric, OfPredictions) else metric
    return {True: "max", False: "min", None: None}[getattr(metric, "higher_is_better", None)]


def make_run_trainer(
    job: Job, task: LightningModule, first_step: int | None, ranks: Ranks | None, divides: bool
) -> Trainer:
    """The Trainer of a run with its callbacks and loggers. A resumed one logs from `first_step` on.

    TensorBoard drops what was logged from there on before. `divides` says whether the data module itself divides
    batches between several processes; where it does not, Lightning does.
    """
    cfg = job.cfg
    callbacks = make_callbacks(job, task)
    first = [callback for callback in callbacks if isinstance(callback, ResumePoints)]
    rest = [callback for callback in callbacks if callback not in first]
    cfg = deepcopy(cfg)
    for node in (cfg.get("logger") or {}).values():
        if first_step is not None and node is not None and str(node.get("_target_")).endswith(PURGING):
            node["purge_step"] = first_step
    trackers.complete(cfg.get("logger") or {}, job.path)
    loggers = [*make_group(cfg, "logger"), MetricsFile(job.path)]  # the first is the one that other callbacks use
    if not any(isinstance(callback, ProgressBar) for callback in callbacks):
        cfg.trainer.enable_progress_bar = False  # Lightning would add a bar of its own
    if not any(isinstance(callback, Checkpoint) for callback in callbacks):
        cfg.trainer.enable_checkpointing = False  # ... and a checkpoint
    seeds = SeedEachBatch(cfg.seed, stable_hash)
    again, together = [], {}
    if ranks is not None:
        again = [WrapAgain()]
        together = {**strategy_arguments(cfg.hardware, ranks), "use_distributed_sampler": not divides}
    if divides:  # then it also keeps the batches to overfit; Lightning would replace its order
        together["overfit_batches"] = 0.0
    parts = [*mode_callbacks(task), *first, seeds, *rest, *again, ResumedEpoch(seeds)]
    trainer = make_trainer(cfg, parts, loggers, **together)
    handle_no_signals(trainer)
    return trainer


def optimizer_of(task: LightningModule) -> Any:
    """What makes a task's optimizer; None of a LightningModule, which makes its own."""
    return task.optimizer if isinstance(task, Task) else None


def mode_callbacks(task: LightningModule) -> list[Callback]:
    """What switches an optimizer with modes; before whatever writes checkpoints."""
    return [ScheduleFree()] if has_modes(optimizer_of(task)) else []


def make_callbacks(job: Job, task: LightningModule) -> list[Any]:
    """The callbacks of the config; UserError for one that does not fit the run."""
    callbacks = make_group(job.cfg, "callbacks")
    for callback in callbacks:
        if hasattr(callback, "sweeper"):  # a trial's pruning: where the study is
            callback.sweeper = job.composed.sweeper
        if isinstance(callback, BatchSizeFinder | LearningRateFinder):
            raise UserError(TUNER.format(type(callback).__name__))
        if isinstance(callback, WeightAveraging | Lookahead) and has_modes(optimizer_of(task)):
            raise UserError(
                f"{type(callback).__name__} averages the weights, and so does the optimizer; leave the callback out"
            )
        if isinstance(callback, LearningRateMonitor) and getattr(task, "warmup", None):
            callback.logging_interval = callback.logging_interval or "step"  # by epochs, the warm-up would not show
        if isinstance(callback, Finetune):
            callback.check_parts(task)
            if callback.freeze and not job.cfg.pretrained:
                log.warning("callbacks=finetune freezes a backbone that was never trained; set pretrained=RUN")
    return callbacks


def make_group(cfg: DictConfig, group: str) -> list[Any]:
    """The objects of a group whose entries have names; an entry that is null is left out."""
    nodes = {name: node for name, node in (cfg.get(group) or {}).items() if node is not None}
    if cfg.trainer.enable_progress_bar is False:
        nodes.pop("progress_bar", None)
    return [instantiate(node, f"{group}.{name}") for name, node in nodes.items()]


def make_trainer(cfg: DictConfig, callbacks: list[Callback], logger: list[Logger], **changes: Any) -> Trainer:
    """Lightning's Trainer with the arguments of the config, except for `changes`."""
    plugins = [instantiate(node, "trainer.plugins") for node in cfg.trainer.plugins or []]
    environment = changes.pop("environment", LightningEnvironment())  # not what Lightning finds: Slurm's, say
    one = {"devices": 1, "num_nodes": 1}  # whatever the config says: more processes are never started here
    changes = {**one, "plugins": [*plugins, DurableIO(), environment], **changes}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*GPU available but not used.*|.*MPS available but not used.*")
        return instantiate(cfg.trainer, "trainer", callbacks=callbacks, logger=logger, **changes)
