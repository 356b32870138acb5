"""Seeded, stratified choice of samples."""

import torch
from torch import Tensor


def stratified(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:  # (N) -> (N - M), (M), int64 indices
    """Cut the samples in two: `share` of each class goes to the second part. Both come in ascending order."""
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} cannot be cut off; it must lie between 0 and 1")
    generator = torch.Generator().manual_seed(seed)
    kept, chosen = [], []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        count = min(max(1, round(share * len(members))), len(members) - 1)  # at least one on either side, if it can be
        chosen.append(members[:count])
        kept.append(members[count:])
    return torch.cat(kept).sort().values, torch.cat(chosen).sort().values
