"""Rosenblatt's learning rule (1958), written as a loss."""

from typing import Any

import torch
from torch import Tensor

from trainyard.tasks.classification import Classification


class PerceptronRule(Classification):
    """The gradient is -t x where the unit is wrong (t is -1 or +1), and zero where it is right.

    With plain SGD and batches of one sample this equals Rosenblatt's rule bit for bit. The article multiplies by labels
    0 and 1 instead, so that its errors on class 0 never correct anything.
    """

    def __init__(self, num_classes: int, **common: Any) -> None:
        if num_classes != 2:
            raise ValueError(f"the perceptron rule separates 2 classes, not {num_classes}; use task=classification")
        for name in ("loss", "class_weights", "label_smoothing"):
            if common.get(name):
                raise ValueError(
                    f"the perceptron rule is a loss of its own, which task.{name}={common[name]} would not change; "
                    "leave it out, or use task=classification"
                )
        super().__init__(num_classes, **common)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:  # (B, 2), (B) -> ()
        if labels.ndim == 2:
            raise ValueError("the perceptron rule takes class indices, not probabilities; set data.mix=none")
        margin = (2 * labels - 1) * (logits[:, 1] - logits[:, 0])
        return torch.where(margin <= 0, -margin, 0.0).mean()
