"""Lookahead (Zhang et al., 2019): slow weights that follow the fast ones, which go back to them every few steps."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from trainyard.tasks.run_length import total_steps

STATISTICS = ("running_mean", "running_var")  # of batch norm, by the ends of their names


class Lookahead(Callback):
    """Every `every` steps, the slow weights move towards the network's, which become equal to them.

    They keep the share `decay` of themselves, which grows from 0 with the `power` of the part of the run that is over
    (Jordan, 2024; 0: constant, as in the paper). After the last step the network has the slow weights, and between two
    looks the fast ones: what is validated and kept then. They include the running statistics of batch norm.
    """

    def __init__(self, every: int = 5, decay: float = 0.5, power: float = 0.0) -> None:
        if every < 1 or not 0 <= decay < 1 or power < 0:
            raise ValueError(f"every={every} must be at least 1, decay={decay} in [0, 1), power={power} not negative")
        self.every, self.decay, self.power = every, decay, power
        self.slow: dict[str, Tensor] = {}
        self.steps, self.last = 0, -1  # of the run; the step of the latest look

    def state_dict(self) -> dict[str, Any]:
        return {"slow": self.slow, "last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.slow, self.last = dict(state_dict["slow"]), state_dict["last"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.steps = total_steps(trainer)
        if self.last < 0:
            self.slow, self.last = {name: each.clone() for name, each in self.fast(pl_module).items()}, 0
        else:
            self.slow = {name: self.slow[name].to(each) for name, each in self.fast(pl_module).items()}

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        step = trainer.global_step
        if step == self.last:  # the batch's gradients are accumulated
            return
        looks = step % self.every == 0
        if looks or step >= self.steps:
            self.last = step
            share = self.decay * (step / self.steps) ** self.power
            for name, fast in self.fast(pl_module).items():
                if looks:
                    self.slow[name].lerp_(fast, 1 - share)
                fast.copy_(self.slow[name])

    @staticmethod
    def fast(module: LightningModule) -> dict[str, Tensor]:
        """The weights of a module and the running statistics of its norms by name; not a copy."""
        statistics = [(name, part) for name, part in module.named_buffers() if name.endswith(STATISTICS)]
        parts = [*module.named_parameters(), *statistics]
        return {name: part.data for name, part in parts if part.is_floating_point()}
