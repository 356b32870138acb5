"""What Lightning's Trainer computed for each sample, kept as the task's own steps go by."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from trainyard.tasks.base import Scored, Task
from trainyard.tasks.language import IGNORE, LanguageModel


class Collected:
    """The predictions and targets of a pass, in its order; of a language model the sum of losses of each block."""

    def __init__(self, is_language: bool) -> None:
        self.is_language = is_language
        self._predictions: list[Tensor] = []
        self._targets: list[Tensor] = []

    def add(self, batch: Any, scored: Scored) -> None:
        """Keep what a step returned."""
        predictions, targets = scored.predictions.detach(), scored.targets.detach()
        if self.is_language:  # losses (N) of the tokens that have a target -> their sum and number in each block
            known = batch[1] != IGNORE
            block = known.nonzero()[:, 0]
            sums = torch.zeros(len(known), dtype=torch.float64)
            predictions = sums.index_add(0, block.cpu(), predictions.double().cpu())
            targets = known.sum(dim=1)
        self._predictions.append(predictions.cpu())
        self._targets.append(targets.cpu())

    @property
    def predictions(self) -> Tensor:  # (N, ...)
        """What the metrics compared with the targets; of a language model the summed loss of each block."""
        return torch.cat(self._predictions) if self._predictions else torch.empty(0)

    @property
    def targets(self) -> Tensor:  # (N, ...)
        """What the metrics compared the predictions with; of a language model the number of tokens of each block."""
        return torch.cat(self._targets) if self._targets else torch.empty(0)


@contextmanager
def collected(task: Task) -> Iterator[Collected]:
    """Keep what the task's steps compute, as long as the context lasts; the steps themselves are unchanged."""
    kept, step = Collected(isinstance(task, LanguageModel)), task.step

    def keep(stage: str, batch: Any) -> Scored:
        scored = step(stage, batch)
        kept.add(batch, scored)
        return scored

    task.step = keep
    try:
        yield kept
    finally:
        del task.step
