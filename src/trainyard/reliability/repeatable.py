"""Randomness without a past: what a batch draws is a function of (seed, epoch, batch, rank), so none of it is saved."""

import random
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer

from trainyard.reliability.lightning_private import batches_done, begin_with_an_epoch, forget_restart


def reseed(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators, in microseconds (torch.manual_seed takes 130)."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


class Repeatable(Callback):
    """Seeds dropout, and whatever else draws in a step, batch by batch; `fold` hashes its arguments to a seed."""

    def __init__(self, seed: int, fold: Any) -> None:
        self.seed, self.fold = seed, fold

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not batches_done(trainer):
            begin_with_an_epoch(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        reseed(self.fold(self.seed, "epoch", trainer.current_epoch, trainer.global_rank))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        forget_restart(trainer)
        reseed(self.fold(self.seed, "batch", trainer.current_epoch, batch_idx, trainer.global_rank))
