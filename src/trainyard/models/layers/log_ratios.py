"""Log-count ratios of n-grams (Wang & Manning, 2012), from how many texts of each class contain them."""

from collections.abc import Callable

import torch
from torch import Tensor

from trainyard.models.layers.ngrams import once
from trainyard.models.layers.padding import PADDING

LIMIT = 1 << 24  # n-grams that wait to be counted together


class NgramCounts:
    """In how many texts of each class an n-gram occurs, by its hash."""

    def __init__(self, num_classes: int) -> None:
        self.hashes = torch.zeros(0, dtype=torch.long)
        self.of_class = torch.zeros(0, num_classes, dtype=torch.int32)
        self.waiting: list[tuple[Tensor, Tensor]] = []

    def add(self, hashes: Tensor, labels: Tensor) -> None:  # (B, N) int64, PADDING for none; (B)
        """Count the n-grams of a batch of texts, each once for each text."""
        hashes = once(hashes.cpu())
        there = hashes != PADDING
        self.waiting.append((hashes[there], labels.cpu()[:, None].expand_as(hashes)[there]))
        if sum(len(each) for each, _ in self.waiting) > LIMIT:
            self.count()

    def count(self) -> None:
        """Add what waits to the counts."""
        known = self.hashes, self.of_class
        parts = [hashes for hashes, _ in self.waiting]
        self.hashes, place = torch.cat([known[0], *parts]).unique(return_inverse=True)
        classes = known[1].shape[1]
        self.of_class = torch.zeros(len(self.hashes), classes, dtype=torch.int32)
        self.of_class[place[: len(known[0])]] = known[1]
        if self.waiting:
            cells = place[len(known[0]) :] * classes + torch.cat([labels for _, labels in self.waiting])
            self.of_class += cells.bincount(minlength=self.of_class.numel()).view_as(self.of_class)
        self.waiting.clear()

    def most_frequent(self, min_count: int, row: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """The n-grams of at least `min_count` texts, of those with the same `row` the most frequent one:
        (N), (N, classes).
        """
        self.count()
        total = self.of_class.sum(dim=1)
        ranked = total.argsort(stable=True)
        ranked = ranked[total[ranked] >= min_count]
        rows = row(self.hashes[ranked])
        order = rows.argsort(stable=True)  # ascending, and within a row by how frequent
        is_last = torch.ones_like(order, dtype=torch.bool)
        is_last[:-1] = rows[order][1:] != rows[order][:-1]
        kept = ranked[order[is_last]]
        return self.hashes[kept], self.of_class[kept]


def log_count_ratios(counts: Tensor, smoothing: float) -> Tensor:  # (N, classes) -> (N, num_logits)
    """log((p / sum p) / (q / sum q)) with p the smoothed counts of a class, q those of the others together.

    Of two classes the ratios of the second one alone.
    """
    counts = counts.double()
    ours = counts if counts.shape[1] > 2 else counts[:, 1:]
    others = counts.sum(dim=1, keepdim=True) - ours + smoothing
    ours = ours + smoothing
    return (ours / ours.sum(dim=0)).log() - (others / others.sum(dim=0)).log()
