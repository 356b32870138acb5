"""What every task shares: steps, logging, optimizer, schedule. A task says how a batch is scored, no more."""

from collections.abc import Callable
from inspect import signature
from math import ceil
from typing import Any, NamedTuple

from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
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

    Subclasses write `score` and `metrics`. `scheduler` is called with the optimizer; one whose signature names
    `total_steps` is given those too and stepped every batch, any other every epoch. A plateau watches `monitor`.
    All of the network but its `head` learns at `base_lr` times the optimizer's rate.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        monitor: str = "val/loss",
        base_lr: float = 1.0,
    ) -> None:
        super().__init__()
        if base_lr <= 0:
            raise ValueError(f"task.base_lr={base_lr} must be above 0; callbacks=finetune freezes the base")
        self.base_lr = base_lr
        self.net, self.optimizer, self.scheduler, self.monitor = net, optimizer, scheduler, monitor
        self.counts: list[int] = []  # samples of each batch since the last step, where gradients are accumulated
        # One set of meters for each stage, so that none mixes with another. (ModuleDict refuses the name "train".)
        self.meters = nn.ModuleDict(
            {
                f"{stage}/": nn.ModuleDict({"loss": MeanMetric(nan_strategy="disable"), **self.metrics(stage)})
                for stage in STAGES
            }
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
        scored = self.step("train", batch)
        loss = scored.loss
        often: int = self.trainer.log_every_n_steps  # pyright: ignore
        if often and (self.global_step + 1) % often == 0:
            self.log("train/step_loss", loss.detach(), on_step=True, on_epoch=False)
        return self.weigh(loss, scored.count) if self.trainer.accumulate_grad_batches > 1 else loss

    def weigh(self, loss: Tensor, count: int) -> Tensor:
        """One of several losses that make a step together, weighted by its samples (or tokens).

        Lightning divides each by their number; `on_before_optimizer_step` makes of it the mean over all samples.
        """
        self.counts.append(count)
        return loss * (count / max(1, self.counts[0]))

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if not self.counts:
            return
        factor = self.trainer.accumulate_grad_batches * self.counts[0] / max(1, sum(self.counts))
        self.counts.clear()
        for group in optimizer.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad.mul_(factor)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.step("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.step("test", batch)

    def step(self, stage: str, batch: Any) -> Scored:
        """Score a batch and add it to the stage's meters, which give exact means whatever the batch sizes."""
        scored = self.score(batch)
        if not len(scored.targets):  # this process has no share of a short last batch
            return scored
        for name, meter in self.stage_meters(stage).items():
            if name == "loss":
                meter.update(scored.loss.detach().expand(scored.count))  # with its NaN check off it ignores weights
            else:
                meter.update(scored.predictions.detach(), scored.targets)
        return scored

    def stage_meters(self, stage: str) -> dict[str, Metric]:
        """The meters of `train`, `val` or `test` by name."""
        return dict(self.meters[f"{stage}/"].items())  # pyright: ignore

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """An epoch's sums so far, for a run that resumes within it."""
        meters = self.stage_meters("train").items()
        checkpoint["meters"] = {name: dict(meter.metric_state) for name, meter in meters}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, meter in self.stage_meters("train").items():
            for key, value in checkpoint.get("meters", {}).get(name, {}).items():
                setattr(meter, key, value.to(meter.device))

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
        made = self.make_optimizer(self.total_steps() if self.wants_total_steps else 0)
        if isinstance(made["lr_scheduler"]["scheduler"], ReduceLROnPlateau):  # it waits for what it watches
            made["lr_scheduler"]["frequency"] = self.trainer.check_val_every_n_epoch or 1
        return made

    def total_steps(self) -> int:
        """Optimizer steps of the whole run; ValueError where nothing ends it.

        Lightning's own `estimated_stepping_batches` would start the loader before a resumed run's epoch is known.
        """
        trainer, data = self.trainer, getattr(self.trainer, "datamodule", None)
        steps, epochs = trainer.max_steps, trainer.max_epochs
        if epochs is None or epochs < 0:
            if steps < 0:
                raise ValueError("this schedule needs an end: set trainer.max_epochs or trainer.max_steps")
            return steps
        if data is None:
            return int(trainer.estimated_stepping_batches)
        batches, limit = len(data.train_dataloader()), trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        total = ceil(batches / trainer.accumulate_grad_batches) * epochs
        return total if steps < 0 else min(total, steps)

    def make_optimizer(self, total_steps: int) -> dict[str, Any]:
        """Optimizer and schedule of a run of that length, as Lightning takes them."""
        optimizer = self.optimizer(decay_groups(self.net, split_head=self.base_lr != 1))
        base = [group for group in optimizer.param_groups if str(group.get("name")).startswith("base/")]
        for group in base:
            group["lr"] *= self.base_lr
        length = {"total_steps": total_steps} if self.wants_total_steps else {}
        scheduler = self.scheduler(optimizer, **length)
        if base and len({group["lr"] for group in optimizer.param_groups} - {0}) == 1:
            raise ValueError(
                f"this schedule gives all weights one rate, and task.base_lr={self.base_lr} the base another"
            )
        interval = "step" if length else "epoch"
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": interval, "monitor": self.monitor, "name": "lr"},
        }

    @property
    def wants_total_steps(self) -> bool:
        """Whether the schedule asks how long the run is going to be."""
        return "total_steps" in signature(self.scheduler).parameters
