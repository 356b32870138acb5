"""Bag of words and word pairs (fastText; Joulin et al., 2016): the mean of their embeddings, and a linear head."""

import torch
from torch import Tensor, nn

from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.ngrams import ngram_hashes
from trainyard.models.layers.padding import PADDING, left_aligned


class BagOfWords(nn.Module):
    """The mean embedding of a text's words and n-grams of up to `ngrams` words, then dropout and a linear head.

    Each word has its own embedding, longer n-grams share `buckets` embeddings by a hash. `ngrams: 1` is a bag of words.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int | None,
        ngrams: int = 2,
        buckets: int = 200_000,
        dim: int = 16,
        dropout: float = 0.0,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        if min(ngrams, buckets, dim) < 1:
            raise ValueError(f"ngrams={ngrams}, buckets={buckets} and dim={dim} must all be at least 1")
        self.vocab_size, self.ngrams, self.buckets = vocab_size, ngrams, buckets
        rows = vocab_size + (buckets if ngrams > 1 else 0)
        self.embedding = nn.EmbeddingBag(rows, dim, mode="mean", padding_idx=PADDING)
        nn.init.uniform_(self.embedding.weight, -1 / dim, 1 / dim)  # as fastText
        with torch.no_grad():
            self.embedding.weight[PADDING].zero_()
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.head = nn.Linear(dim, num_logits(num_classes, num_outputs))

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, num_logits)
        return self.head(self.dropout(self.embedding(self.bag(tokens))))

    def bag(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, up to ngrams T)
        """The embedding indices of a text: its words, its pairs of adjacent words, and so on."""
        tokens = left_aligned(tokens)
        bags = [tokens]
        for hashes, is_ngram in ngram_hashes(tokens, self.ngrams)[1:]:
            bags.append((self.vocab_size + hashes % self.buckets).masked_fill(~is_ngram, PADDING))
        return torch.cat(bags, dim=1)
