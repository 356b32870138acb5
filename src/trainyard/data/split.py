"""Seeded, stratified choice of samples."""

from collections.abc import Iterator

import torch
from torch import Tensor

from trainyard.data.draws import fold, mix


def stratified(labels: Tensor, rows: Tensor, share: float, *seed: object) -> tuple[Tensor, Tensor]:
    """Cut samples in two: `share` of each class goes to the second part; (N), (N) -> (N - M), (M) int64, ascending.

    Who is chosen hangs on the seed and on a sample's `rows` (its place in the whole data set): within a class the order
    is the same whatever other classes are there, and a smaller share is part of a larger one.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} cannot be cut off; it must lie between 0 and 1")
    kept, chosen = [], []
    for members in shuffled(labels, rows, *seed):
        count = min(max(1, round(share * len(members))), len(members) - 1)  # at least one on either side, if it can be
        chosen.append(members[:count])
        kept.append(members[count:])
    return torch.cat(kept).sort().values, torch.cat(chosen).sort().values


def fold_of(labels: Tensor, rows: Tensor, folds: int, number: int, *seed: object) -> tuple[Tensor, Tensor]:
    """Cut samples in two: of `folds` parts of like size and classes, the one of that number goes to the second part."""
    kept, chosen, dealt = [], [], 0  # each class goes on where the one before ended, or the first folds would grow
    for members in shuffled(labels, rows, *seed):
        if len(members) < folds:
            raise ValueError(f"folds={folds} needs as many samples of each class, and one has only {len(members)}")
        parts = [members[(i - dealt) % folds :: folds] for i in range(folds)]
        dealt += len(members)
        chosen.append(parts.pop(number))
        kept += parts
    return torch.cat(kept).sort().values, torch.cat(chosen).sort().values


def shuffled(labels: Tensor, rows: Tensor, *seed: object) -> Iterator[Tensor]:
    """The samples of each class, in an order that hangs on the seed."""
    rank = mix(rows + fold(*seed))
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        yield members[rank[members].argsort()]
