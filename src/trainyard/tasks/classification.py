"""Classify samples."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from trainyard.tasks.base import Scored, Task


def class_names(task: "Classification", data: Any) -> list[str]:
    """The names of a task's classes, those of its data module; numbers where that has none."""
    return [str(name) for name in getattr(data, "classes", None) or range(task.num_classes)]


class Classification(Task):
    """Any network that returns class logits: (B, num_classes), or (B, 1) for two classes.

    A single logit z stands for the two logits (0, z): their cross-entropy is the binary cross-entropy of z.
    Labels are class indices (B), or class probabilities (B, num_classes) where samples were mixed: then the more
    probable class counts for the meters. Logged in each stage: loss and accuracy; in val and test also f1 (macro) and,
    with more than five classes, accuracy_top5.
    """

    def __init__(self, num_classes: int, label_smoothing: float = 0.0, **common: Any) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing={label_smoothing} must be in [0, 1)")
        self.num_classes, self.label_smoothing = num_classes, label_smoothing
        super().__init__(**common)

    def metrics(self, stage: str) -> dict[str, Metric]:
        common: dict[str, Any] = {"num_classes": self.num_classes, "validate_args": False}
        metrics: dict[str, Metric] = {"accuracy": MulticlassAccuracy(average="micro", **common)}
        if stage != "train":
            metrics["f1"] = MulticlassF1Score(average="macro", **common)
            if self.num_classes > 5:
                metrics["accuracy_top5"] = MulticlassAccuracy(average="micro", top_k=5, **common)
        return metrics

    def postprocess(self, outputs: Tensor) -> Tensor:  # (B, num_logits) -> (B, num_classes)
        """The probability of each class."""
        if outputs.shape[-1] == 1:
            return torch.cat((1 - outputs.sigmoid(), outputs.sigmoid()), dim=-1)
        return outputs.softmax(dim=-1)

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, labels = batch
        logits = self.net(inputs)
        if logits.shape[1] == 1:
            logits = torch.cat((torch.zeros_like(logits), logits), dim=1)
        classes = labels.argmax(dim=1) if labels.ndim == 2 else labels
        return Scored(self.loss(logits, labels), len(labels), logits, classes)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:  # (B, num_classes), (B) or (B, num_classes) -> ()
        """Cross-entropy; labels are smoothed in training alone, so that val/loss can be compared between runs."""
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing if self.training else 0.0)
