"""What a classifier gets right, class by class, and how far its probabilities can be trusted."""

from typing import NamedTuple

import torch
from torch import Tensor

BINS = 15  # of the calibration error, as in Guo et al. (2017)


class ClassScores(NamedTuple):
    """One class; a score without a sample that it could be computed from is 0, as in scikit-learn."""

    name: str
    precision: float
    recall: float
    f1: float
    count: int  # samples of the class


class Calibration(NamedTuple):
    """The samples in bins of equal width by the probability of the predicted class."""

    error: float  # expected calibration error: the mean distance of confidence and accuracy, weighted by the samples
    confidence: Tensor  # (BINS), means
    accuracy: Tensor  # (BINS)
    count: Tensor  # (BINS)


def confusion_matrix(guesses: Tensor, labels: Tensor, classes: int) -> Tensor:  # (N), (N) -> (classes, classes)
    """How many samples of each class (row) were taken for each class (column)."""
    return torch.bincount(labels * classes + guesses, minlength=classes * classes).view(classes, classes)


def class_scores(matrix: Tensor, names: list[str]) -> list[ClassScores]:
    """Precision, recall and F1 of each class, then their means: of all classes, and weighted by their samples."""
    right, true, guessed = matrix.diagonal().double(), matrix.sum(dim=1).double(), matrix.sum(dim=0).double()
    table = torch.stack((right / guessed.clamp(min=1), right / true.clamp(min=1),
                         2 * right / (true + guessed).clamp(min=1)), dim=1)  # fmt: skip
    rows = [
        ClassScores(name, precision, recall, f1, count)
        for name, (precision, recall, f1), count in zip(names, table.tolist(), true.long().tolist(), strict=True)
    ]
    size = int(true.sum())
    weighted = (table * true[:, None]).sum(dim=0) / max(1, size)
    means = {"macro average": table.mean(dim=0), "weighted average": weighted}
    for name, values in means.items():
        precision, recall, f1 = values.tolist()
        rows.append(ClassScores(name, precision, recall, f1, size))
    return rows


def calibration(probabilities: Tensor, labels: Tensor) -> Calibration:  # (N, classes), (N)
    """The calibration of the predicted classes' probabilities."""
    confidence, guesses = probabilities.double().max(dim=1)
    return calibration_of(confidence, guesses == labels)


def calibration_of(confidence: Tensor, is_right: Tensor) -> Calibration:  # (N), (N) bool
    """The calibration of the probabilities of predictions, some of which are right."""
    confidence, hit = confidence.double(), is_right.double()
    which = (confidence * BINS).ceil().long().clamp(1, BINS) - 1  # (0, 1/15], (1/15, 2/15], ...
    zeros = torch.zeros(BINS, dtype=torch.float64)
    count, hits, sums = (zeros.index_add(0, which, values) for values in (torch.ones_like(hit), hit, confidence))
    error = float((hits - sums).abs().sum() / len(hit))
    return Calibration(error, sums / count.clamp(min=1), hits / count.clamp(min=1), count)
