"""Score a trained task on one of its data's splits, and what the single samples tell beyond the scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning import LightningDataModule, Trainer
from torch import Tensor

from trainyard.data.base import DataModule
from trainyard.data.loading.order import BatchOrder
from trainyard.evaluation.bootstrap import Interval, intervals
from trainyard.evaluation.classes import Calibration, ClassScores, calibration, class_scores, confusion_matrix
from trainyard.evaluation.collect import Collected, collected
from trainyard.hardware.settings import prepare_network
from trainyard.tasks.base import Task
from trainyard.tasks.classification import Classification, class_names
from trainyard.tasks.lightning_module import network_of


@dataclass
class Evaluation:
    """The scores of a split, and, of a classification, what its single samples tell."""

    split: str
    scores: dict[str, float]  # by the names that they are logged by
    samples: int  # texts or blocks, of a language model
    intervals: dict[str, Interval] = field(default_factory=dict)  # 95 %, of the scores that have one
    classes: list[str] = field(default_factory=list)  # their names; the rest is of a classification alone
    per_class: list[ClassScores] = field(default_factory=list)
    confusion: Tensor | None = None  # (classes, classes): label, prediction
    calibration: Calibration | None = None
    index: Tensor = field(default_factory=lambda: torch.empty(0))  # (N), of each sample in its split
    labels: Tensor = field(default_factory=lambda: torch.empty(0))  # (N)
    probabilities: Tensor = field(default_factory=lambda: torch.empty(0))  # (N, classes)


class Evaluator:
    """A task, its data, and the Trainer that scores them.

    `hardware` is the config group, `limits` are Lightning's limit_test_batches and limit_val_batches.
    """

    def __init__(
        self, task: Task, data: LightningDataModule, hardware: Any, limits: Mapping[str, Any], split: str = "test"
    ) -> None:
        self.task, self.data, self.split = task, data, split
        prepare_network(network_of(task), hardware)
        self.trainer = Trainer(
            accelerator=hardware.accelerator, devices=1, precision=hardware.precision, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            use_distributed_sampler=False, **limits,
        )  # fmt: skip
        data.prepare_data()

    def scores(self) -> dict[str, float]:
        """The task's scores, by the names that they are logged by."""
        score = {"test": self.trainer.test, "val": self.trainer.validate}[self.split]
        (scores,) = score(self.task, datamodule=self.data, verbose=False)
        return dict(scores)

    @property
    def has_classes(self) -> bool:
        """Whether the task predicts the probability of each class."""
        return isinstance(self.task, Classification)

    def evaluation(self) -> Evaluation:
        """The scores, and what the samples tell."""
        if not isinstance(self.task, Task):
            return Evaluation(self.split, self.scores(), 0)
        with collected(self.task) as kept:
            scores = self.scores()
        found = Evaluation(self.split, scores, len(kept.targets), intervals(self.task, self.split, kept, scores))
        if isinstance(self.task, Classification) and len(kept.targets):
            self.describe_classes(self.task, found, kept)
        return found

    def describe_classes(self, task: Classification, found: Evaluation, kept: Collected) -> None:
        """Add what is of a classification alone."""
        found.classes, found.labels = class_names(task, self.data), kept.targets
        found.probabilities = kept.predictions.float().softmax(dim=1)
        found.confusion = confusion_matrix(kept.predictions.argmax(dim=1), kept.targets, task.num_classes)
        found.per_class = class_scores(found.confusion, found.classes)
        found.calibration = calibration(found.probabilities, kept.targets)
        found.index = torch.arange(len(kept.targets))
        if isinstance(self.data, DataModule):  # whose batches may be sorted by length
            order = self.data.loader(self.split).sampler
            if isinstance(order, BatchOrder):
                found.index = order.order(0)[: len(kept.targets)]
