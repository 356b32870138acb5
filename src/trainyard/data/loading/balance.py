"""Draw samples so that all classes are equally frequent, with replacement."""

import torch
from torch import Tensor

KINDS = ("shuffled", "balanced")


class Balance:
    """The samples by their classes, `labels` (N) int64; ValueError if these are no classes, or a single one.

    Each draw is of a class, all being equally likely, and then of one of its samples. That is the distribution of
    torch's WeightedRandomSampler with the weights 1 / (size of the class), for any number of samples.
    """

    def __init__(self, labels: Tensor) -> None:
        if labels.is_floating_point() or labels.ndim != 1:
            raise ValueError("data.sampling=balanced needs a class of each sample, and the targets are numbers")
        self.by_class = labels.argsort(stable=True)
        self.counts = labels.unique(return_counts=True)[1]
        if len(self.counts) < 2:
            raise ValueError("data.sampling=balanced needs several classes, and all training samples are of one")
        self.starts = self.counts.cumsum(0) - self.counts

    def draw(self, generator: torch.Generator) -> Tensor:  # -> (N) int64
        """As many samples as there are."""
        drawn = torch.randint(len(self.counts), self.by_class.shape, generator=generator)
        shares = torch.rand(self.by_class.shape, dtype=torch.float64, generator=generator)
        places = (shares * self.counts[drawn]).long()
        return self.by_class[self.starts[drawn] + places]


def occurrences(order: Tensor) -> Tensor:  # (N) -> (N) int64
    """How often each sample of an order came before in it."""
    by_sample = order.argsort(stable=True)
    ordered = order[by_sample]
    found = torch.empty_like(order)
    found[by_sample] = torch.arange(len(order)) - torch.searchsorted(ordered, ordered)
    return found
