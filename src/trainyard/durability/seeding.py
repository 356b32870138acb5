"""Random draws that need no saved state: those of a batch are a function of (seed, epoch, batch, rank)."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from trainyard.durability.lightning_private import batches_completed, clear_restarting_flag, start_with_an_epoch


def seed_generators(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators, in microseconds (torch.manual_seed takes 130)."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


class SeedEachBatch(Callback):
    """Seed dropout, and whatever else a step draws, batch by batch; `stable_hash` turns its arguments into a seed.

    A batch is transformed before its hooks start, so that the seed for that is set as the batch, or the validation,
    before it ends.
    """

    def __init__(self, seed: int, stable_hash: Callable[..., int]) -> None:
        self.seed, self.stable_hash = seed, stable_hash

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not batches_completed(trainer):
            start_with_an_epoch(trainer)
        self.set(trainer, "transform", batches_completed(trainer))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seed_generators(self.stable_hash(self.seed, "epoch", trainer.current_epoch, trainer.global_rank))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Tensor, batch_idx: int) -> None:
        clear_restarting_flag(trainer)
        self.set(trainer, "batch", batch_idx)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.set(trainer, "transform", batch_idx + 1)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.set(trainer, "val", batch_idx)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.set(trainer, "transform val", 0)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.set(trainer, "transform test", 0)  # in a run that was killed in its test too, and trains no more

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":  # the next batch, in a run that resumes here too
            self.set(trainer, "transform", batches_completed(trainer))

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.set(trainer, "test", batch_idx)

    def set(self, trainer: Trainer, name: str, batch_idx: int) -> None:
        """Seed the generators for what is done with a batch."""
        seed_generators(self.stable_hash(self.seed, name, trainer.current_epoch, batch_idx, trainer.global_rank))
