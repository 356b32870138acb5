"""Distillation: a network learns from the labels and from a trained one (Hinton, Vinyals & Dean, 2015)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainyard.errors import UserError
from trainyard.tasks.base import Scored, weight_dtype
from trainyard.tasks.classification import Classification, class_logits


class Distillation(Classification):
    """A classification whose training loss is (1 - alpha) times that of the labels, and alpha times T^2 times the
    Kullback-Leibler divergence of the network's probabilities from the teacher's, both at the temperature T.

    The teacher gets the same inputs, augmented and mixed as they are. It is frozen, and no part of this module: it is
    in no checkpoint, where its digest is. Validation and test are those of a classification, which need no teacher.
    """

    def __init__(self, teacher: str, temperature: float = 4.0, alpha: float = 0.9, **classification: Any) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature={temperature} must be positive")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha={alpha} must be in [0, 1]")
        super().__init__(**classification)
        self.teacher_path, self.temperature, self.alpha = teacher, temperature, alpha
        self.teachers: tuple[Classification, ...] = ()  # in a tuple, so that none becomes a part of this module
        self.digest = ""

    def learn_from(self, teacher: Classification, digest: str) -> None:
        """Take a trained task as the teacher; `digest` is that of its weights."""
        self.teachers, self.digest = (teacher.eval().requires_grad_(False),), digest

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        scored = super().score(batch)
        if not self.training:
            return scored
        if not self.teachers:
            raise ValueError(f"the teacher {self.teacher_path} was not loaded: `learn_from` takes it")
        soft = self.soft_loss(scored.predictions, self.taught(batch[0]))
        return scored._replace(loss=(1 - self.alpha) * scored.loss + self.alpha * soft)

    @torch.no_grad()
    def taught(self, inputs: Tensor) -> Tensor:  # (B, ...) -> (B, num_classes)
        """The teacher's logits."""
        teacher = self.teachers[0].to(inputs.device)
        return class_logits(teacher(inputs.to(weight_dtype(teacher)) if inputs.is_floating_point() else inputs))

    def soft_loss(self, logits: Tensor, taught: Tensor) -> Tensor:  # (B, num_classes) each -> ()
        """T^2 times the divergence at the temperature T, a mean over the samples."""
        ours, theirs = (each.float().div(self.temperature).log_softmax(dim=1) for each in (logits, taught))
        return self.temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["teacher"] = self.digest

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        then = checkpoint.get("teacher", self.digest)
        if then != self.digest:
            raise UserError(
                f"task.teacher={self.teacher_path} has other weights than when this run began ({self.digest} here, "
                f"{then} there); restore them, or start a new run"
            )
