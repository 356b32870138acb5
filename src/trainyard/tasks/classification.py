"""Classify samples."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from trainyard.tasks.base import Scored, Task
from trainyard.tasks.class_weights import balanced, first_weights
from trainyard.tasks.losses import OF_CLASSES, class_probabilities, cross_entropy, make_loss, mean_loss
from trainyard.tasks.meters import add_meters
from trainyard.tasks.metrics import make_metrics, of_classes
from trainyard.tasks.training_split import teach, training_targets
from trainyard.tasks.views import check_views, mean_over_views


def class_names(task: "Classification", data: Any) -> list[str]:
    """The names of a task's classes, those of its data module; numbers where that has none."""
    return [str(name) for name in getattr(data, "classes", None) or range(task.num_classes)]


def class_logits(outputs: Tensor) -> Tensor:  # (B, num_logits) -> (B, num_classes)
    """The logits of all classes: a single logit z stands for (0, z)."""
    return torch.cat((torch.zeros_like(outputs), outputs), dim=1) if outputs.shape[1] == 1 else outputs


class Classification(Task):
    """Any network that returns class logits: (B, num_classes), or (B, 1) for two classes.

    A single logit z stands for the two logits (0, z): their cross-entropy is the binary cross-entropy of z.
    Labels are class indices (B), or class probabilities (B, num_classes) where samples were mixed: then the more
    probable class counts for the meters. Logged in each stage: loss and accuracy; in val and test also f1 (macro),
    with more than five classes accuracy_top5, and what `metrics` lists.

    `loss` is one of `losses.OF_CLASSES` by its name, or any callable (logits, labels) -> the loss of each
    sample, or their mean. `class_weights` has a factor for each class, or is `balanced`: samples / (classes x samples
    of the class) of the training split, so that their mean is 1. They and `label_smoothing` hold in training alone, so
    that val/loss can be compared between runs. A weighted loss is the mean of (weight x loss) over the samples; it is
    not divided by the sum of weights, which would make it depend on what else is in a batch.

    Outside training the logits are the mean over the `views` of an image (views.VIEWS), in predictions as well.
    """

    def __init__(
        self,
        num_classes: int,
        label_smoothing: float = 0.0,
        loss: Any = "cross_entropy",
        metrics: Sequence[Any] = (),
        class_weights: Sequence[float] | str | None = None,
        views: str = "none",
        **common: Any,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing={label_smoothing} must be in [0, 1)")
        self.num_classes, self.label_smoothing = num_classes, label_smoothing
        super().__init__(**common)
        self.views = check_views(views)
        self.criterion = make_loss(loss, OF_CLASSES)
        if metrics:
            add_meters(self.meters, make_metrics(metrics, of_classes(num_classes)))
        self.is_balanced = class_weights == "balanced"
        if class_weights is not None:
            self.register_buffer("class_weights", first_weights(class_weights, num_classes))

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

    def forward(self, x: Tensor) -> Tensor:  # (B, ...) -> (B, num_logits)
        """What the network returns, outside training the mean over the views."""
        return self.net(x) if self.training else mean_over_views(self.net, x, self.views)

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, labels = batch
        return self.scored(class_logits(self(inputs)), labels)

    def scored(self, logits: Tensor, labels: Tensor) -> Scored:  # (B, num_classes), (B) or (B, num_classes)
        """The loss of a batch, and what the metrics compare."""
        classes = labels.argmax(dim=1) if labels.ndim == 2 else labels
        return Scored(self.loss(logits, labels), len(labels), logits, classes)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:  # (B, num_classes), (B) or (B, num_classes) -> ()
        """The mean loss; in training, labels are smoothed and classes weighted."""
        smoothing = self.label_smoothing if self.training else 0.0
        weights = getattr(self, "class_weights", None) if self.training else None
        if self.criterion is cross_entropy and weights is None:
            return F.cross_entropy(logits, labels, label_smoothing=smoothing)
        if smoothing:
            labels = class_probabilities(labels, self.num_classes)
            labels = labels * (1 - smoothing) + smoothing / self.num_classes
        losses = self.criterion(logits, labels)
        if weights is not None:
            if losses.shape != labels.shape[:1]:
                raise ValueError(
                    f"task.class_weights needs the loss of each sample, ({len(labels)},), and task.loss returns "
                    f"{tuple(losses.shape)}; set its reduction: none"
                )
            losses = losses * (weights[labels] if labels.ndim == 1 else (labels * weights).sum(dim=1))
        return mean_loss(losses, len(labels))

    def learn(self, data: Any) -> None:
        """The class weights, if they are `balanced`, and what the network itself learns from the training split.

        ValueError for views of data that has no images.
        """
        shape = getattr(data, "shape", None)
        if self.views != "none" and shape is not None and len(shape) != 3:
            raise ValueError(f"task.views={self.views} are those of images, and samples here have shape {list(shape)}")
        teach(self.net, data)
        if self.is_balanced:
            labels = training_targets(data)
            if labels is None:
                raise ValueError(
                    "task.class_weights=balanced needs the labels of the training split, and "
                    f"{type(data).__name__} does not tell them; give a list of numbers"
                )
            self.class_weights = balanced(labels, self.num_classes).to(self.class_weights)
