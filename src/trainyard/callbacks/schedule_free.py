"""Optimizers that train some weights and mean others: those of schedulefree (Defazio et al., 2024)."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor


class ScheduleFree(Callback):
    """Call `eval` and `train` of an optimizer that has them; added by itself where one has.

    What is validated, kept as best, tested and reopened are the weights of `eval`. Those of the training are put back
    to the bit afterwards, and a resumed run continues from them: a checkpoint contains both, as that of an average.
    """

    def __init__(self) -> None:
        self.training: list[Tensor] = []  # the weights of the training, while the others are in the network

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for optimizer in trainer.optimizers:
            optimizer.train()  # pyright: ignore

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self.to_eval(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self.to_train(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.to_eval(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self.training or trainer.state.fn != TrainerFn.FITTING:
            return
        self.to_eval(trainer, pl_module)
        meant = {name: value.clone() for name, value in pl_module.state_dict().items()}
        self.to_train(trainer, pl_module)
        checkpoint["current_model_state"], checkpoint["state_dict"] = checkpoint["state_dict"], meant

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == TrainerFn.FITTING and "current_model_state" in checkpoint:
            pl_module.load_state_dict(checkpoint["current_model_state"])

    def to_eval(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights that are meant into the network, and keep the others."""
        self.training = [weight.detach().clone() for weight in pl_module.parameters()]
        for optimizer in trainer.optimizers:
            optimizer.eval()  # pyright: ignore

    def to_train(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights of the training back."""
        for optimizer in trainer.optimizers:
            optimizer.train()  # pyright: ignore
        with torch.no_grad():
            for weight, kept in zip(pl_module.parameters(), self.training, strict=True):
                weight.copy_(kept)
        self.training = []
