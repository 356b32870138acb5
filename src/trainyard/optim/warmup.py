"""A linear warm-up before any schedule (Goyal et al., 2017)."""

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class WarmedUp(LRScheduler):
    """The rates of `schedule`, which in step t of the first `steps` ones (from 1) are multiplied by t / `steps`.

    A schedule that is stepped every batch begins when the warm-up is over (`waits`); one that counts epochs counts
    those of the warm-up. The factor changes with each step of the optimizer, whatever steps the schedule.
    """

    def __init__(self, schedule: LRScheduler, steps: int, waits: bool) -> None:  # not that of the base, which steps
        self.schedule, self.steps, self.waits, self.done = schedule, steps, waits, 0
        self.optimizer: Optimizer = schedule.optimizer
        self.rates = self.read()
        self.write()
        self.optimizer.register_step_post_hook(lambda *_: self.advance())

    def read(self) -> list[Any]:
        """The learning rates of the optimizer's groups."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def write(self, whole: bool = False) -> None:
        """Give the groups the schedule's rates times the factor of the next step; `whole`: the rates themselves."""
        factor = 1.0 if whole else (self.done + 1) / self.steps
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def advance(self) -> None:
        """Count a step of the optimizer, up to the first one after the warm-up."""
        if self.done <= self.steps:
            self.done += 1
            if self.done <= self.steps:
                self.write(whole=self.done == self.steps)

    def step(self, *score: Any) -> None:  # pyright: ignore
        """Step the schedule (a plateau by its score), which sees its own rates."""
        if self.waits and self.done <= self.steps:
            return
        if self.done < self.steps:
            self.write(whole=True)
        self.schedule.step(*score)
        self.rates = self.read()
        if self.done < self.steps:
            self.write()

    def get_last_lr(self) -> list[Any]:
        """The learning rates as they are."""
        return self.read()

    def state_dict(self) -> dict[str, Any]:
        """The schedule's, with the steps done and its rates."""
        return {"schedule": self.schedule.state_dict(), "done": self.done, "rates": self.rates}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """The rates of the groups are in the optimizer's state."""
        self.schedule.load_state_dict(state_dict["schedule"])
        self.done, self.rates = state_dict["done"], list(state_dict["rates"])
