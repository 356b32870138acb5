"""Split samples in two: seeded, and stratified where the labels are classes."""

from collections.abc import Iterator

import torch
from torch import Tensor

from trainyard.data.loading.hashing import splitmix64, stable_hash

NO_LABEL = -1  # the label of a training sample that has none


def check_test_fraction(test_fraction: float) -> None:
    """Raise ValueError unless a part of the samples, not all, is for the test."""
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction={test_fraction} must be in (0, 1)")


def split_stratified(labels: Tensor, rows: Tensor, fraction: float, *seed: object) -> tuple[Tensor, Tensor]:
    """Move `fraction` of each class to the second part; (N), (N) -> (N - M), (M) int64, ascending.

    The choice depends on the seed and on `rows`, the samples' places in the whole dataset: within a class the order is
    the same whatever other classes there are, and a smaller fraction is a subset of a larger one.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction={fraction} must be in (0, 1)")
    kept, chosen = [], []
    for members in _shuffled_classes(labels, rows, *seed):
        count = min(max(1, round(fraction * len(members))), len(members) - 1)  # at least one each, if possible
        chosen.append(members[:count])
        kept.append(members[count:])
    return torch.cat(kept).sort().values, torch.cat(chosen).sort().values


def split_fold(labels: Tensor, rows: Tensor, folds: int, number: int, *seed: object) -> tuple[Tensor, Tensor]:
    """Move part `number` of `folds` stratified parts of equal size to the second part; shapes as above."""
    kept, chosen = [], []
    dealt = 0  # samples so far: starting again with each class would make the first folds larger
    for members in _shuffled_classes(labels, rows, *seed):
        if len(members) < folds:
            raise ValueError(f"folds={folds} needs that many samples of each class, but one has {len(members)}")
        parts = [members[(i - dealt) % folds :: folds] for i in range(folds)]
        dealt += len(members)
        chosen.append(parts.pop(number))
        kept += parts
    return torch.cat(kept).sort().values, torch.cat(chosen).sort().values


def _shuffled_classes(labels: Tensor, rows: Tensor, *seed: object) -> Iterator[Tensor]:
    """The samples of each class, in an order that depends on the seed.

    Labels that are no classes (numbers to regress, several for each sample) are taken for a single class.
    """
    rank = splitmix64(rows + stable_hash(*seed))
    if labels.is_floating_point() or labels.ndim > 1:
        labels = torch.zeros(len(labels), dtype=torch.long)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        yield members[rank[members].argsort()]
