"""Once the data is read, task and data meet: what does not fit is refused before the run directory exists."""

import logging
from typing import Any

from lightning import LightningDataModule, LightningModule, Trainer

from trainyard.collectives import world_size
from trainyard.data.base import DataModule
from trainyard.errors import UserError
from trainyard.tasks.base import Task
from trainyard.tasks.run_length import warmup_steps
from trainyard.training.factory import make_trainer
from trainyard.training.job import Job
from trainyard.training.outputs import check_outputs
from trainyard.training.pretrained import check_tokenizer
from trainyard.training.pseudo_labels import add_pseudo_labels
from trainyard.training.rehearsal import check_logged, rehearse
from trainyard.training.room import check_room
from trainyard.training.teacher import check_preparation

log = logging.getLogger(__name__)


def set_up(job: Job, task: LightningModule, data: LightningDataModule, trainer: Trainer, is_new: bool) -> None:
    """Let task and data, which is set up to fit, know one another; a new run also tries its network on a batch."""
    cfg = job.cfg
    add_pseudo_labels(data, cfg, None if is_new else job.path)
    if isinstance(data, DataModule):
        check_length(cfg, task, data, trainer)
    if isinstance(task, Task):
        if isinstance(data, DataModule):
            sizes = {"data.batch_size": data.batch_size, "data.eval_batch_size": data.eval_batch_size}
            check_room(task.net, sizes, cfg.hardware, f"model={job.composed.choices.get('model')}")
        task.learn(data)
        check_preparation(task, data)
    if cfg.data.get("sampling") == "balanced" and cfg.task.get("class_weights"):
        log.warning("data.sampling=balanced draws all classes equally often, and task.class_weights weight them again")
    if cfg.pretrained:
        check_tokenizer(cfg.pretrained, data)
    if not is_new:
        return
    if isinstance(task, Task):
        if world_size() > 1 and cfg.hardware.accelerator != "cpu":
            return  # torch's batch norm over several GPUs refuses a batch in the host's memory
        check_outputs(task, data, f"model={job.composed.choices.get('model')}")
        return
    alone = make_trainer(cfg, [], [], fast_dev_run=True, enable_progress_bar=False, profiler=None)
    if said := check_logged(cfg, task, rehearse(cfg, job.composed.choices, data, alone)):
        log.info(said)


def check_length(cfg: Any, task: LightningModule, data: DataModule, trainer: Trainer) -> None:
    """Keep the batches to overfit; UserError if there are fewer, or if the warm-up is longer than the run."""
    try:
        if cfg.trainer.overfit_batches:
            data.keep_batches(cfg.trainer.overfit_batches)
        if isinstance(task, Task):
            warmup_steps(trainer, task.warmup, data)
    except ValueError as error:
        raise UserError(str(error)) from error
