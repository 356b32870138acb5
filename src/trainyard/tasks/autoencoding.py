"""Reproduce the input."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanSquaredError, Metric

from trainyard.tasks.base import Scored, Task
from trainyard.tasks.losses import OF_NUMBERS, make_loss, mean_loss
from trainyard.tasks.meters import add_meters
from trainyard.tasks.metrics import make_metrics, of_numbers


class Autoencoding(Task):
    """A network that returns its input again, (B, *shape), as it gets it: normalized, and augmented in training.

    Labels are ignored. `loss` is one of `losses.OF_NUMBERS` by its name, or any callable (outputs, inputs) -> the loss
    of each sample, or their mean. Logged in each stage: loss and rmse; in val and test also what `metrics` lists.
    """

    def __init__(self, loss: Any = "mse", metrics: Sequence[Any] = (), **common: Any) -> None:
        super().__init__(**common)
        self.criterion = make_loss(loss, OF_NUMBERS)
        if metrics:
            add_meters(self.meters, make_metrics(metrics, of_numbers(2)))

    def metrics(self, stage: str) -> dict[str, Metric]:
        return {"rmse": MeanSquaredError(squared=False)}

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, _ = batch
        outputs = self.net(inputs)
        if outputs.shape != inputs.shape or not inputs.is_floating_point():
            raise ValueError(
                f"the network returns {tuple(outputs.shape)} for inputs {tuple(inputs.shape)} of {inputs.dtype}; an "
                "autoencoder returns numbers like its inputs (model=autoencoder)"
            )
        wide = torch.promote_types(outputs.dtype, torch.float32)
        outputs, inputs = outputs.to(wide), inputs.to(wide)
        loss = mean_loss(self.criterion(outputs, inputs), len(inputs))
        return Scored(loss, len(inputs), outputs.flatten(1), inputs.flatten(1))
