"""Predict numbers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, R2Score

from trainyard.tasks.base import Scored, Task
from trainyard.tasks.losses import OF_NUMBERS, make_loss, mean_loss
from trainyard.tasks.meters import add_meters
from trainyard.tasks.metrics import make_metrics, of_numbers
from trainyard.tasks.training_split import training_targets


class R2(R2Score):
    """The part of the targets' variance that is predicted, in double precision: it is a difference of large sums."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        wide = torch.float32 if preds.device.type == "mps" else torch.float64
        super().update(preds.to(wide), target.to(wide))

    def compute(self) -> Tensor:
        return super().compute().float() if self.total >= 2 else torch.full((), torch.nan, device=self.device)


class Regression(Task):
    """A network that returns a number for each of `num_outputs` targets, (B, num_outputs).

    Targets are (B), or (B, num_outputs). With `scale_targets` the network learns them scaled to mean 0 and deviation 1,
    as the training split has them; the loss is that of the scaled ones, metrics and predictions are in the data's unit.
    `loss` is one of `losses.OF_NUMBERS` by its name, or any callable (outputs, targets) -> the loss of each sample, or
    their mean. Logged in each stage: loss, mae and rmse; in val and test also r2 and what `metrics` lists.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(
        self,
        num_outputs: int = 1,
        loss: Any = "mse",
        metrics: Sequence[Any] = (),
        scale_targets: bool = True,
        **common: Any,
    ) -> None:
        if num_outputs < 1:
            raise ValueError(f"num_outputs={num_outputs} must be at least 1")
        self.num_outputs, self.scale_targets = num_outputs, scale_targets
        super().__init__(**common)
        self.criterion = make_loss(loss, OF_NUMBERS)
        if metrics:
            add_meters(self.meters, make_metrics(metrics, of_numbers(num_outputs)))
        self.register_buffer("target_mean", torch.zeros(num_outputs))
        self.register_buffer("target_std", torch.ones(num_outputs))

    def metrics(self, stage: str) -> dict[str, Metric]:
        errors: dict[str, Metric] = {"mae": MeanAbsoluteError(), "rmse": MeanSquaredError(squared=False)}
        return errors if stage == "train" else {**errors, "r2": R2()}

    def learn(self, data: Any) -> None:
        """The mean and the deviation of the training split's targets."""
        if not self.scale_targets:
            return
        targets = training_targets(data)
        if targets is None:
            raise ValueError(
                f"task.scale_targets=true needs the targets of the training split, and {type(data).__name__} does not "
                "tell them; set task.scale_targets=false"
            )
        targets = self.as_columns(targets.cpu().double(), len(targets))
        if not targets.isfinite().all():
            raise ValueError(f"{int((~targets.isfinite()).sum())} targets of the training split are nan or infinite")
        std = targets.std(dim=0, correction=0)
        self.target_mean = targets.mean(dim=0).to(self.target_mean)
        self.target_std = torch.where(std > 0, std, 1.0).to(self.target_std)

    def as_columns(self, targets: Tensor, count: int) -> Tensor:  # (B) or (B, num_outputs) -> (B, num_outputs)
        """The targets of `count` samples; ValueError for any other shape."""
        if targets.shape not in ((count, self.num_outputs), (count,) if self.num_outputs == 1 else ()):
            raise ValueError(
                f"the targets of {count} samples are {tuple(targets.shape)}, and the task has num_outputs="
                f"{self.num_outputs}; they should be ({count}, {self.num_outputs})"
            )
        return targets.view(count, self.num_outputs)

    def postprocess(self, outputs: Tensor) -> Tensor:  # (B, num_outputs), the same
        """The predictions in the unit of the data."""
        return outputs * self.target_std.to(outputs.device) + self.target_mean.to(outputs.device)

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, labels = batch
        outputs = self.net(inputs)
        outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
        targets = self.as_columns(labels.to(outputs.dtype), len(labels))
        if outputs.shape != targets.shape:
            raise ValueError(
                f"the network returns {tuple(outputs.shape)} for targets {tuple(targets.shape)}; it needs a linear "
                f"output for each of {self.num_outputs} targets (model.num_outputs of Trainyard's own)"
            )
        loss = mean_loss(self.criterion(outputs, (targets - self.target_mean) / self.target_std), len(targets))
        predictions = self.postprocess(outputs)
        if self.num_outputs == 1:
            predictions, targets = predictions.squeeze(1), targets.squeeze(1)
        return Scored(loss, len(labels), predictions, targets)
