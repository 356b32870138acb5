"""What all tasks share: steps, logging, optimizer, schedule. A task itself only defines how a batch is scored."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils._pytree import tree_map_only
from torchmetrics import MeanMetric, Metric

from trainyard.collectives import gathered, rank, totals, world_size
from trainyard.optim.signature import needs_length
from trainyard.optim.warmup_length import Warmup
from trainyard.tasks.meters import fill_empty_lists, mean_over_processes, merge_meters, restore_meters
from trainyard.tasks.optimization import check_scales, optimizer_and_schedule, parameter_groups
from trainyard.tasks.run_length import total_steps, warmup_steps
from trainyard.tasks.whitening import end_bias_training, short_biases, whiten_filters

STAGES = ("train", "val", "test")


class Scored(NamedTuple):
    """What a task computed from a batch."""

    loss: Tensor  # (), the mean over `weight` samples
    weight: int  # samples (or tokens) in the mean
    predictions: Tensor  # what the metrics compare with ...
    targets: Tensor  # ... these
    more: Mapping[str, Tensor] = MappingProxyType({})  # what meters of these names average instead


def weight_dtype(module: nn.Module) -> torch.dtype:
    """The type of a network's weights, which its inputs need as well; fp32 for one without any."""
    return next((weight.dtype for weight in module.parameters()), torch.float32)


class Task(LightningModule):
    """A network with its loss, metrics, optimizer and learning-rate schedule.

    Subclasses define `score` and `metrics`, and `postprocess` where a prediction is not what the network returns.
    `scheduler` is called with the optimizer; one whose signature has `total_steps` gets those too and is stepped every
    batch, others every epoch; `warmup` precedes it. A plateau schedule watches `monitor`. All of the network except its
    `head` (found where it is None: `optim.head`) learns at `backbone_lr_scale` times the optimizer's learning rate; or
    each layer at `layer_decay` times that of the layer above it (Howard & Ruder, 2018; Clark et al., 2020). Biases and
    gains of norms learn at `norm_lr_scale` times the rate. The convolution `whiten` begins with whitening filters.
    """

    starts_at_any_batch = True  # its meters are in checkpoints, so that a resumed run continues within an epoch

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        monitor: str = "val/loss",
        backbone_lr_scale: float = 1.0,
        warmup: Warmup | None = None,
        layer_decay: float = 1.0,
        head: str | None = None,
        norm_lr_scale: float = 1.0,
        whiten: str | None = None,
    ) -> None:
        super().__init__()
        check_scales(backbone_lr_scale, layer_decay, norm_lr_scale)
        self.backbone_lr_scale, self.layer_decay, self.warmup = backbone_lr_scale, layer_decay, warmup
        self.norm_lr_scale, self.head_name, self.whiten = norm_lr_scale, head, whiten
        self.net, self.optimizer, self.scheduler, self.monitor = net, optimizer, scheduler, monitor
        self.short_biases = short_biases(net)
        self.weights: list[int] = []  # of the batches since the last step, where gradients are accumulated
        # One set of meters per stage. (ModuleDict refuses the name "train".)
        self.meters = nn.ModuleDict(
            {
                f"{stage}/": nn.ModuleDict({"loss": MeanMetric(nan_strategy="disable"), **self.metrics(stage)})
                for stage in STAGES
            }
        )

    def learn(self, data: Any) -> None:
        """Take from a data module that is set up what the task needs to know of its training split; by default nothing.

        What is learned is stored in buffers, so that it is in every checkpoint.
        """

    def setup(self, stage: str) -> None:
        if stage == "fit":
            data = getattr(self.trainer, "datamodule", None)
            whiten_filters(self.net, self.whiten, data)
            self.learn(data)

    def metrics(self, stage: str) -> dict[str, Metric]:
        """New metrics of one stage by name; each compares predictions with targets."""
        raise NotImplementedError

    def score(self, batch: Any) -> Scored:
        """Run the network on a batch and compute its loss."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def postprocess(self, outputs: Tensor) -> Tensor:
        """What a prediction is, from the network's outputs; by default these themselves, as of a regression."""
        return outputs

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        scored = self.step("train", batch)
        loss, weight = self.share_of_mean(scored)
        interval: int = self.trainer.log_every_n_steps  # pyright: ignore
        if interval and (self.global_step + 1) % interval == 0:
            self.log("train/step_loss", mean_over_processes(loss.detach()), on_step=True, on_epoch=False)
        return self.weight_loss(loss, weight) if self.trainer.accumulate_grad_batches > 1 else loss

    def share_of_mean(self, scored: Scored) -> tuple[Tensor, int]:
        """This process's part of the batch's loss, and the samples (or tokens) of all processes.

        The mean of the processes' parts, which is what the gradients become, is the mean over all samples.
        """
        if world_size() == 1:
            return scored.loss, scored.weight
        weight = 0 if self.has_copy() else scored.weight
        whole = round(totals([weight])[0])
        return scored.loss * (weight * world_size() / max(1, whole)), whole

    def has_copy(self) -> bool:
        """Whether another process has this batch as well, and counts it: there were too few samples for all."""
        return getattr(getattr(self.trainer, "datamodule", None), "is_copy", False)

    def weight_loss(self, loss: Tensor, weight: int) -> Tensor:
        """Weight one of several losses that are accumulated to a step by its samples (or tokens).

        Lightning divides each by their number; `on_before_optimizer_step` turns the sum into the mean over all samples.
        """
        self.weights.append(weight)
        return loss * (weight / self.weight_unit)

    @property
    def weight_unit(self) -> int:
        """The weight of the step's first batch, so that the losses stay near 1 (of 0, where it has no target, 1)."""
        return max(1, self.weights[0])

    @property
    def gradient_factor(self) -> float:
        """What turns the gradients of the step's accumulated losses into that of the mean over all samples."""
        if not self.weights:
            return 1.0
        return self.trainer.accumulate_grad_batches * self.weight_unit / max(1, sum(self.weights))

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if self.short_biases:
            end_bias_training(self.short_biases, self.current_epoch)
        if not self.weights:
            return
        factor = self.gradient_factor
        self.weights.clear()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)

    def validation_step(self, batch: Any, batch_idx: int) -> Scored:
        return self.step("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.step("test", batch)

    def step(self, stage: str, batch: Any) -> Scored:
        """Score a batch and add it to the stage's meters, which compute exact means for any batch sizes."""
        scored = self.score(batch)
        if not len(scored.targets) or (rank() != 0 and self.has_copy()):  # that of rank 0 is never a copy
            return scored
        for name, meter in self.stage_meters(stage).items():
            if name == "loss":
                meter.update(scored.loss.detach().expand(scored.weight))  # with its NaN check off it ignores weights
            elif name in scored.more:
                meter.update(scored.more[name].detach())
            else:
                meter.update(scored.predictions.detach(), scored.targets)
        return scored

    def stage_meters(self, stage: str) -> dict[str, Metric]:
        """The meters of `train`, `val` or `test` by name."""
        return dict(self.meters[f"{stage}/"].items())  # pyright: ignore

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the meters, and those within them, of each process, for a run that resumes within an epoch."""
        states = {name: dict(meter.metric_state) for name, meter in self.train_meters().items()}
        own = tree_map_only(Tensor, Tensor.cpu, states)
        checkpoint["meters"] = own
        if world_size() > 1:
            checkpoint["meters_by_rank"] = gathered(own)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint.get("meters_by_rank", [checkpoint.get("meters", {})])
        if len(saved) == world_size():
            restore_meters(self.train_meters(), saved[rank()])
        elif rank() == 0:  # of another number of processes: this one counts for all of them
            restore_meters(self.train_meters(), saved[0])
            for other in saved[1:]:
                merge_meters(self.train_meters(), other)

    def train_meters(self) -> dict[str, Metric]:
        """The training meters and the metrics that they contain, by dotted name."""
        parts = self.meters["train/"].named_modules()
        return {name: part for name, part in parts if isinstance(part, Metric)}

    def scores(self) -> list[str]:
        """The names of all that the meters log once per epoch, which can be monitored."""
        return [f"{stage}/{name}" for stage in STAGES for name in self.stage_meters(stage)]

    def on_train_epoch_end(self) -> None:
        self.log_metrics("train")

    def on_validation_epoch_end(self) -> None:
        self.log_metrics("val")

    def on_test_epoch_end(self) -> None:
        self.log_metrics("test")

    def log_metrics(self, stage: str) -> None:
        """Log the meters' values and reset them. (Passing the meters to self.log would cost milliseconds each step.)"""
        fill_empty_lists(self.meters[f"{stage}/"])
        for name, meter in self.stage_meters(stage).items():
            self.log(f"{stage}/{name}", meter.compute(), on_step=False, on_epoch=True)
            meter.reset()

    def configure_optimizers(self) -> dict[str, Any]:
        length = total_steps(self.trainer) if self.needs_total_steps else 0
        config = self.make_optimizer(length, warmup_steps(self.trainer, self.warmup))
        if config["lr_scheduler"]["reduce_on_plateau"]:  # stepped after each validation
            config["lr_scheduler"]["frequency"] = self.trainer.check_val_every_n_epoch or 1
        return config

    def make_optimizer(self, total_steps: int, warmup_steps: int = 0) -> dict[str, Any]:
        """Optimizer and schedule of a run of that length, in the form that Lightning takes."""
        return optimizer_and_schedule(self, total_steps, warmup_steps)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What the optimizer is called with."""
        return parameter_groups(self)

    @property
    def needs_total_steps(self) -> bool:
        """Whether the schedule depends on the length of the run."""
        return needs_length(self.scheduler)
