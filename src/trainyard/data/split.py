"""Seeded, stratified choice of samples."""

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
    rank = mix(rows + fold(*seed))
    kept, chosen = [], []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        members = members[rank[members].argsort()]
        count = min(max(1, round(share * len(members))), len(members) - 1)  # at least one on either side, if it can be
        chosen.append(members[:count])
        kept.append(members[count:])
    return torch.cat(kept).sort().values, torch.cat(chosen).sort().values
