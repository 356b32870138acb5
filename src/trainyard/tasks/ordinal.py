"""Classes in an order: the proportional odds model (McCullagh, 1980) behind any network."""

from itertools import pairwise
from math import expm1, log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, Metric

from trainyard.tasks.base import Scored
from trainyard.tasks.classification import Classification
from trainyard.tasks.metrics import OfPredictions


def first_steps(num_classes: int) -> list[float]:
    """The first threshold and the inverse softplus of the steps to the others; 0 is in each class as probably."""
    places = [log(each / (num_classes - each)) for each in range(1, num_classes)]
    steps = [after - before for before, after in pairwise(places)]
    return [places[0], *(log(expm1(step)) for step in steps)]


def most_probable(logits: Tensor) -> Tensor:  # (B, classes) -> (B)
    """The predicted class, as a number."""
    return logits.argmax(dim=1).float()


class Ordinal(Classification):
    """A network that returns one number z for a sample, (B, 1); a class is an interval of it.

    The probability of at most class k is sigmoid(threshold k - z). The thresholds ascend, and are learned as the
    network's weights are. All else is that of a classification, from these probabilities; also logged in each stage:
    mae, by how many classes the predictions are wrong.
    """

    def __init__(self, num_classes: int, num_outputs: int = 1, **classification: Any) -> None:
        if num_classes < 3 or num_outputs != 1:
            raise ValueError(
                f"an ordinal task has at least 3 classes and 1 output, not num_classes={num_classes} and num_outputs="
                f"{num_outputs}; for two classes use task=classification"
            )
        super().__init__(num_classes, **classification)
        self.steps = nn.Parameter(torch.tensor(first_steps(num_classes)))

    def metrics(self, stage: str) -> dict[str, Metric]:
        return {**super().metrics(stage), "mae": OfPredictions(MeanAbsoluteError(), most_probable)}

    @property
    def thresholds(self) -> Tensor:  # (num_classes - 1), ascending
        """The ends of the classes' intervals."""
        return torch.cat((self.steps[:1], F.softplus(self.steps[1:]))).cumsum(dim=0)

    def log_probabilities(self, outputs: Tensor) -> Tensor:  # (B, 1) -> (B, num_classes)
        """Of each class: log of sigmoid(a) - sigmoid(b), which is sigmoid(a) sigmoid(-b) (1 - e^(b - a))."""
        if outputs.shape[1:] != (1,):
            raise ValueError(
                f"the network returns {tuple(outputs.shape)}, and an ordinal task takes ({len(outputs)}, 1)"
            )
        ends = self.thresholds.to(outputs.device) - outputs.float()  # (B, num_classes - 1)
        below, above = F.logsigmoid(ends), F.logsigmoid(-ends)
        between = below[:, 1:] + above[:, :-1] + torch.log(-torch.expm1(ends[:, :-1] - ends[:, 1:]))
        return torch.cat((below[:, :1], between, above[:, -1:]), dim=1)

    def postprocess(self, outputs: Tensor) -> Tensor:  # (B, 1) -> (B, num_classes)
        return self.log_probabilities(outputs).exp()

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, labels = batch
        return self.scored(self.log_probabilities(self(inputs)), labels)
