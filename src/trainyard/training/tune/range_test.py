"""tune=lr: a learning-rate range test (Smith, 2017): the loss, while the rate grows from step to step."""

import math
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from trainyard.errors import UserError
from trainyard.figures.tuning import range_test
from trainyard.training.tune.bench import Bench, Found

LEAST_STEPS = 20
WIDTH = 0.04  # of the smoothing, as a part of all steps
DIVERGED = 4.0  # times the lowest loss
NOISE = 1.5  # standard deviations of single steps: smoothed noise alone has fallen by one


class RangeTest:
    """Train `steps` steps with rates from `lowest` to `highest`, each a constant factor above the last one.

    The suggestion is where the smoothed loss falls fastest (per factor of the rate), before it is lowest. The test ends
    once the loss is four times its lowest value. Rates of groups of weights keep their proportions.
    """

    def __init__(self, lowest: float = 1e-6, highest: float = 10.0, steps: int = 100) -> None:
        if not 0 < lowest < highest:
            raise ValueError(f"tune.lowest={lowest} must be above 0, and tune.highest={highest} above it")
        if steps < LEAST_STEPS:
            raise ValueError(f"tune.steps={steps} must be at least {LEAST_STEPS}")
        self.rates = [lowest * (highest / lowest) ** (i / (steps - 1)) for i in range(steps)]

    def __call__(self, bench: Bench) -> Found:
        """The learning rate that it suggests; UserError if there is none."""
        own = (bench.cfg.get("optimizer") or {}).get("lr")
        if not isinstance(own, int | float) or own <= 0:
            raise UserError(f"tune=lr looks for optimizer.lr, and here it is {own}; give it a number first")
        course = Course(self.rates, own)
        bench.train([course], len(self.rates))
        if not course.losses:
            raise UserError(
                f"tune=lr: the loss of the first step is not finite ({course.loss}) at a rate of {self.rates[0]:.2g}; "
                "look for what makes it so in the data, the network or the loss"
            )
        losses = torch.tensor(course.losses, dtype=torch.float64)
        smooth = smoothed(losses, max(1.0, WIDTH * len(self.rates)))
        rates = self.rates[: len(smooth)]
        best = steepest(smooth, losses)
        if best is None:
            raise UserError(
                f"tune=lr: the loss of {len(smooth)} steps at rates from {rates[0]:.2g} to {rates[-1]:.2g} never "
                "fell by more than steps differ; change tune.lowest and tune.highest, or raise tune.steps"
            )
        rate, low = rates[best], rates[int(smooth.argmin())]
        suggested = float(f"{rate:.2g}")
        said = (
            f"the loss falls fastest at a rate of {rate:.2g} and is lowest at {low:.2g} ({len(smooth)} steps from "
            f"{rates[0]:.2g} to {rates[-1]:.2g})"
        )
        values = {"rates": rates, "losses": course.losses, "smoothed": smooth.tolist(), "lowest_loss_at": low}
        return Found("optimizer.lr", suggested, said, values, range_test(rates, course.losses, smooth.tolist(), rate))


class Course(Callback):
    """Set the rate of each step, and keep its loss, until that diverges."""

    def __init__(self, rates: list[float], own: float) -> None:
        self.rates, self.own = rates, own
        self.loss = math.nan  # of the last step, finite or not
        self.losses: list[float] = []
        self.proportions: list[float] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.proportions = [group["lr"] / self.own for group in groups(trainer)]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        for group, proportion in zip(groups(trainer), self.proportions, strict=True):
            group["lr"] = proportion * self.rates[min(trainer.global_step, len(self.rates) - 1)]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.loss = loss = float(outputs["loss"])
        steps = trainer.global_step
        if steps > len(self.losses) and math.isfinite(loss):  # where gradients are accumulated, of the last batch
            self.losses.append(loss)
        if not math.isfinite(loss) or (steps > LEAST_STEPS and min(self.losses[-3:]) > DIVERGED * min(self.losses)):
            trainer.should_stop = True


def groups(trainer: Trainer) -> list[dict[str, Any]]:
    """The groups of weights that the optimizer trains."""
    return trainer.optimizers[0].param_groups


def smoothed(values: Tensor, width: float) -> Tensor:  # (N) -> (N)
    """Means weighted by a Gaussian around each value, which shifts nothing to larger rates as a running mean would."""
    at = torch.arange(len(values), dtype=values.dtype)
    weights = torch.exp(-0.5 * ((at[:, None] - at) / width) ** 2)
    return weights @ values / weights.sum(dim=1)


def steepest(smooth: Tensor, losses: Tensor) -> int | None:  # (N), (N) -> an index
    """Where the smoothed losses fall fastest before they are lowest; None if they fall by no more than steps differ."""
    low = int(smooth.argmin()) if len(smooth) else 0
    if low < 2:
        return None
    before = smooth[: low + 1]
    noise = (losses[: low + 1] - before).std(correction=0)
    if before.max() - before[-1] <= NOISE * noise:
        return None
    return int(torch.gradient(smooth)[0][: low + 1].argmin())
