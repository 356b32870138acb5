"""What the steps of a validation predicted, kept for its pictures: a few numbers for each sample."""

from typing import NamedTuple

import torch
from torch import Tensor

from trainyard.tasks.base import Scored

MOST = 1 << 20  # samples that are kept
PENDING = 1 << 18  # logits, from which on they are reduced


class Predicted(NamedTuple):
    """The samples of a validation in its order, on the CPU."""

    confidence: Tensor  # (N), the probability of the predicted class
    guesses: Tensor  # (N)
    labels: Tensor  # (N)
    second: Tensor  # (N), the probability of class 1

    def __len__(self) -> int:
        return len(self.labels)


class Kept:
    """The predictions of a validation, at most those of the first million samples.

    A step's logits are only referred to. They are reduced when there are many, or when a picture needs them, which
    also copies what is left to the host: most validations are followed by none.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.pending: list[tuple[Tensor, Tensor]] = []
        self.reduced: list[Predicted] = []
        self.count = self.waiting = 0

    def add(self, scored: Scored) -> None:
        """Keep the logits (B, classes) and labels (B) of a step."""
        if self.count >= MOST:
            return
        if scored.predictions.ndim != 2 or scored.targets.ndim != 1:
            raise ValueError("a step has returned no logits (B, classes) with labels (B)")
        self.pending.append((scored.predictions.detach(), scored.targets.detach()))
        self.count += len(scored.targets)
        self.waiting += scored.predictions.numel()
        if self.waiting >= PENDING:
            self.reduce()

    def reduce(self) -> None:
        """Reduce the logits that wait to what is kept of them."""
        for logits, labels in self.pending:
            probabilities = logits.float().softmax(dim=1)
            confidence, guesses = probabilities.max(dim=1)
            second = probabilities[:, 1] if probabilities.shape[1] == 2 else confidence
            self.reduced.append(Predicted(confidence, guesses, labels, second))
        self.pending, self.waiting = [], 0

    def predicted(self) -> Predicted | None:
        """All that is kept; None if that is nothing."""
        self.reduce()
        if not self.reduced:
            return None
        self.reduced = [Predicted(*(torch.cat(parts).cpu() for parts in zip(*self.reduced, strict=True)))]
        return self.reduced[0]
