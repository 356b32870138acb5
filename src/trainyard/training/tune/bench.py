"""Train a task for some steps, without a run directory: what a search for a value tries."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lightning import Callback
from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch.optim.lr_scheduler import ConstantLR

from trainyard.data.base import DataModule
from trainyard.data.loading.hashing import stable_hash
from trainyard.durability.seeding import SeedEachBatch
from trainyard.tasks.base import Task
from trainyard.training.factory import make_trainer, mode_callbacks


@dataclass
class Bench:
    """A task and its data, read; the config with plain values."""

    cfg: DictConfig
    task: Task
    data: DataModule

    def train(self, callbacks: Sequence[Callback], steps: int) -> None:
        """Train for so many steps at the optimizer's own rate, without validation, logs and checkpoints."""
        self.task.scheduler, self.task.warmup = partial(ConstantLR, factor=1.0), None
        parts = [*mode_callbacks(self.task), SeedEachBatch(self.cfg.seed, stable_hash), *callbacks]
        changes: dict[str, Any] = {
            "max_epochs": -1, "max_steps": steps, "min_epochs": None, "min_steps": None, "max_time": None,
            "limit_val_batches": 0, "limit_train_batches": None, "overfit_batches": 0.0, "fast_dev_run": False,
            "enable_checkpointing": False, "enable_progress_bar": False, "profiler": None,
        }  # fmt: skip
        make_trainer(self.cfg, parts, [], **changes).fit(self.task, datamodule=self.data)


@dataclass
class Found:
    """What a search has found."""

    key: str  # of the config
    value: float | int
    said: str  # in words
    values: dict[str, Any]  # all that was measured
    figure: Figure
