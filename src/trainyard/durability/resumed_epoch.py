"""The hooks of an epoch's start, called again when a run resumes within the epoch."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from trainyard.durability.lightning_private import batches_completed
from trainyard.durability.resume_points import ResumePoints
from trainyard.durability.seeding import SeedEachBatch


class ResumedEpoch(Callback):
    """Call on_train_epoch_start of the task and the callbacks, which Lightning leaves out on a resume within an epoch.

    Some set there what no checkpoint contains: how many batches are accumulated, which parts of the network are frozen.
    What a checkpoint does contain (weights, learning rates, a callback's state) is restored once more afterwards, and
    nothing is logged.
    """

    def __init__(self, seeds: SeedEachBatch) -> None:
        self.seeds = seeds
        self.checkpoint: dict[str, Any] = {}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == "fit":
            self.checkpoint = checkpoint

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.checkpoint and batches_completed(trainer):
            self.after_on_train_start(trainer, pl_module)
        else:
            self.checkpoint = {}

    def after_on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Repeat the hooks once all of on_train_start have been called; the strategy's is the last of them."""
        strategy_hook = trainer.strategy.on_train_start

        def hook() -> None:
            trainer.strategy.on_train_start = strategy_hook
            strategy_hook()
            self.repeat(trainer, pl_module)
            self.seeds.set(trainer, "transform", batches_completed(trainer))
            self.checkpoint = {}

        trainer.strategy.on_train_start = hook

    def repeat(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Call the hooks, and restore what they changed and the checkpoint contains."""
        state = pl_module.state_dict().items()
        weights = {name: value.clone() for name, value in state if isinstance(value, Tensor)}
        groups = [[dict(group) for group in optimizer.param_groups] for optimizer in trainer.optimizers]
        callbacks = [each for each in trainer.callbacks if not isinstance(each, ResumePoints)]  # pyright: ignore
        loggers, trainer.loggers = trainer.loggers, []
        for callback in callbacks:
            callback.on_train_epoch_start(trainer, pl_module)
        pl_module.on_train_epoch_start()
        trainer.loggers = loggers
        with torch.no_grad():
            for name, value in pl_module.state_dict().items():  # again: a hook may have replaced some
                if name in weights:
                    value.copy_(weights[name])
        for optimizer, before in zip(trainer.optimizers, groups, strict=True):
            for group, values in zip(optimizer.param_groups, before, strict=False):
                group.update({name: value for name, value in values.items() if name != "params"})
        pl_module.on_load_checkpoint(self.checkpoint)
        for callback in callbacks:
            state = self.checkpoint["callbacks"].get(callback.state_key)
            if state and type(callback).on_train_epoch_start is not Callback.on_train_epoch_start:
                callback.load_state_dict(state)
