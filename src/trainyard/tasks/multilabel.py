"""Several labels for each sample, each of which is there or not."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MultilabelAveragePrecision, MultilabelF1Score

from trainyard.tasks.base import Scored, Task
from trainyard.tasks.losses import OF_LABELS, make_loss, mean_loss
from trainyard.tasks.meters import add_meters
from trainyard.tasks.metrics import make_metrics, of_labels


class Multilabel(Task):
    """A network that returns a logit for each of `num_outputs` labels, (B, num_outputs); targets are 0 or 1 each.

    A label is predicted where its probability is above 0.5. `loss` is one of `losses.OF_LABELS` by its name, or any
    callable (logits, targets) -> the loss of each sample, or their mean. Logged in each stage: loss and f1 (macro); in
    val and test also average_precision (macro) and what `metrics` lists.
    """

    def __init__(self, num_outputs: int, loss: Any = "bce", metrics: Sequence[Any] = (), **common: Any) -> None:
        if num_outputs < 2:
            raise ValueError(f"num_outputs={num_outputs}: a single label is two classes; use task=classification")
        self.num_outputs = num_outputs
        super().__init__(**common)
        self.criterion = make_loss(loss, OF_LABELS)
        if metrics:
            add_meters(self.meters, make_metrics(metrics, of_labels(num_outputs)))

    def metrics(self, stage: str) -> dict[str, Metric]:
        common: dict[str, Any] = {"num_labels": self.num_outputs, "average": "macro", "validate_args": False}
        f1: dict[str, Metric] = {"f1": MultilabelF1Score(**common)}
        return f1 if stage == "train" else {**f1, "average_precision": MultilabelAveragePrecision(**common)}

    def postprocess(self, outputs: Tensor) -> Tensor:  # (B, num_outputs), the same
        """The probability of each label."""
        return outputs.sigmoid()

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, targets = batch
        logits = self.net(inputs)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if targets.ndim != 2 or logits.shape != targets.shape:
            raise ValueError(
                f"the network returns {tuple(logits.shape)} for targets {tuple(targets.shape)}; both should be "
                f"({len(targets)}, {self.num_outputs}), with a 0 or 1 for each label"
            )
        loss = mean_loss(self.criterion(logits, targets.to(logits.dtype)), len(targets))
        return Scored(loss, len(targets), logits.sigmoid(), targets.long())
