"""What every task shares: steps, logging, optimizer, schedule. A task says how a batch is scored, no more."""

from collections.abc import Callable
from inspect import signature
from typing import Any, NamedTuple

from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric, Metric

from trainyard.optim.groups import decay_groups

STAGES = ("train", "val", "test")


class Scored(NamedTuple):
    """A batch as a task scored it."""

    loss: Tensor  # () mean over `count`
    count: int  # samples (or tokens) behind the mean
    predictions: Tensor  # what the metrics compare ...
    targets: Tensor  # ... with what


class Task(LightningModule):
    """A network, a way to score it and a way to improve it.

    Subclasses write `score` and `metrics`. `scheduler` is called with the optimizer and with those of `total_steps`,
    `steps_per_epoch` and `epochs` that its signature names; one that asks for `total_steps` is stepped every batch,
    any other every epoch (`monitor` is what a plateau schedule watches).
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        monitor: str = "val/loss",
    ) -> None:
        super().__init__()
        self.net, self.optimizer, self.scheduler, self.monitor = net, optimizer, scheduler, monitor
        # One set of meters for each stage, so that none mixes with another. (ModuleDict refuses the name "train".)
        self.meters = nn.ModuleDict(
            {f"{stage}/": nn.ModuleDict({"loss": MeanMetric(), **self.metrics(stage)}) for stage in STAGES}
        )

    def metrics(self, stage: str) -> dict[str, Metric]:
        """Fresh metrics of one stage by name; each compares predictions with targets."""
        raise NotImplementedError

    def score(self, batch: Any) -> Scored:
        """Run the network on a batch and say how wrong it is."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.step("train", batch).loss
        if (self.global_step + 1) % self.trainer.log_every_n_steps == 0:  # pyright: ignore
            self.log("train/step_loss", loss.detach(), on_step=True, on_epoch=False)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.step("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.step("test", batch)

    def step(self, stage: str, batch: Any) -> Scored:
        """Score a batch and add it to the stage's meters, which give exact means whatever the batch sizes."""
        scored = self.score(batch)
        for name, meter in self.stage_meters(stage).items():
            if name == "loss":
                meter.update(scored.loss.detach(), weight=scored.count)
            else:
                meter.update(scored.predictions.detach(), scored.targets)
        return scored

    def stage_meters(self, stage: str) -> dict[str, Metric]:
        """The meters of `train`, `val` or `test` by name."""
        return dict(self.meters[f"{stage}/"].items())  # pyright: ignore

    def scores(self) -> list[str]:
        """The names of all that the meters log once an epoch: what can be monitored."""
        return [f"{stage}/{name}" for stage in STAGES for name in self.stage_meters(stage)]

    def on_train_epoch_end(self) -> None:
        self.report("train")

    def on_validation_epoch_end(self) -> None:
        self.report("val")

    def on_test_epoch_end(self) -> None:
        self.report("test")

    def report(self, stage: str) -> None:
        """Log what the meters hold, and empty them. (Handing them to self.log would cost milliseconds each step.)"""
        for name, meter in self.stage_meters(stage).items():
            self.log(f"{stage}/{name}", meter.compute(), on_step=False, on_epoch=True)
            meter.reset()

    def configure_optimizers(self) -> dict[str, Any]:
        total = self.trainer.estimated_stepping_batches
        if total == float("inf"):
            raise ValueError("a schedule needs an end: set trainer.max_epochs or trainer.max_steps")
        return self.make_optimizer(int(total), max(1, self.trainer.max_epochs or 1))

    def make_optimizer(self, total_steps: int, epochs: int) -> dict[str, Any]:
        """Optimizer and schedule of a run of that length, as Lightning takes them."""
        optimizer = self.optimizer(decay_groups(self.net))
        horizon = {"total_steps": total_steps, "epochs": epochs, "steps_per_epoch": max(1, total_steps // epochs)}
        asked = signature(self.scheduler).parameters
        scheduler = self.scheduler(optimizer, **{name: value for name, value in horizon.items() if name in asked})
        interval = "step" if "total_steps" in asked else "epoch"
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": interval, "monitor": self.monitor, "name": "lr"},
        }
