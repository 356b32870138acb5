"""A linear classifier of n-grams with naive Bayes weights (NB-SVM; Wang & Manning, 2012), with the logistic loss."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.log_ratios import NgramCounts, log_count_ratios
from trainyard.models.layers.ngrams import ngram_hashes, once
from trainyard.models.layers.padding import PADDING, left_aligned


class NaiveBayesBag(nn.Module):
    """The sum of the weights of a text's n-grams of up to `ngrams` words, each counted once and scaled by a ratio.

    The ratio of an n-gram is the log of how often it occurs in training texts of a class, relative to the others;
    `smoothing` is added to each count. The n-grams are those of at least `min_count` training texts; each has one of
    `rows` weights, chosen by a hash, and where several share one, the most frequent has it and the others are not
    counted. `learn` finds them; they are buffers, and thus in every checkpoint.
    """

    owners: Tensor  # (rows) int32, a second hash of the n-gram that has the row
    ratios: Tensor  # (rows, num_logits)
    has_learned: Tensor  # () bool

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        ngrams: int = 3,
        rows: int = 1_000_000,
        min_count: int = 2,
        smoothing: float = 1.0,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        if num_outputs is not None:
            raise ValueError(
                f"num_outputs={num_outputs}: naive Bayes weights are ratios of classes, which this task does not have; "
                "choose task=classification or model=bow"
            )
        if min(ngrams, min_count) < 1 or rows < 2 or not smoothing > 0:
            raise ValueError(
                f"ngrams={ngrams} and min_count={min_count} must be at least 1, rows={rows} at least 2, and "
                f"smoothing={smoothing} positive"
            )
        self.vocab_size, self.ngrams, self.rows = vocab_size, ngrams, rows
        self.min_count, self.smoothing = min_count, smoothing
        logits = num_logits(num_classes)
        self.weight, self.bias = nn.Parameter(torch.zeros(rows, logits)), nn.Parameter(torch.zeros(logits))
        self.register_buffer("owners", torch.zeros(rows, dtype=torch.int32))
        self.register_buffer("ratios", torch.zeros(rows, logits))
        self.register_buffer("has_learned", torch.tensor(False))

    @torch.no_grad()
    def learn(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Find the n-grams and their ratios in the training texts: batches of tokens (B, T) and labels (B)."""
        counts = NgramCounts(max(2, self.weight.shape[1]))
        for tokens, labels in batches:
            counts.add(torch.cat([hashes.masked_fill(~is_ngram, PADDING) for hashes, is_ngram in
                                  ngram_hashes(left_aligned(tokens), self.ngrams)], dim=1), labels)  # fmt: skip
        hashes, of_class = counts.most_frequent(self.min_count, self.row)
        rows = self.row(hashes)
        self.owners.zero_()[rows] = (hashes >> 32).int().to(self.owners.device)
        self.ratios.zero_()[rows] = log_count_ratios(of_class, self.smoothing).to(self.ratios)
        self.has_learned.fill_(True)

    def row(self, hashes: Tensor) -> Tensor:
        """The rows of n-grams by their hashes; row 0 is that of the padding."""
        return 1 + hashes % (self.rows - 1)

    def bag(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, up to ngrams T)
        """The rows of a text's known n-grams, once each, ascending; PADDING for all else."""
        found = []
        for hashes, is_ngram in ngram_hashes(left_aligned(tokens), self.ngrams):
            rows = self.row(hashes)
            known = is_ngram & (self.owners[rows] == (hashes >> 32).int())
            found.append(rows.masked_fill(~known, PADDING))
        return once(torch.cat(found, dim=1))

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, num_logits)
        return F.embedding(self.bag(tokens), self.weight * self.ratios).sum(1) + self.bias  # the padding's ratio is 0
