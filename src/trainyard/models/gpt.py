"""GPT (Radford et al., 2018 and 2019): a Transformer that sees the past alone, to go on with texts or classify them."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.attention import Cache
from trainyard.models.block import Blocks
from trainyard.models.checks import probability
from trainyard.models.heads import num_logits
from trainyard.models.init import initialize_normal
from trainyard.models.padding import PADDING, alignment, last, left_aligned, restored
from trainyard.models.positions import Positions


class GPT(nn.Module):
    """Embeddings of token and position, dropout, `depth` pre-norm blocks that never look ahead, a layer norm.

    With `num_classes`: dropout and a linear head on the last token. Without: a language model, whose logits at each
    token are the next one's, from the token embeddings once more. Weights start normal with deviation 0.02, those
    that end a block's steps divided by sqrt(2 depth), so that the sum over blocks keeps its scale.
    """

    causal = True

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        num_classes: int | None = None,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        ff_dim: int = 512,
        positions: str = "learned",
        activation: str = "gelu",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.num_classes, self.max_length = num_classes, max_length
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=PADDING)
        self.positions = Positions(positions, max_length, dim)
        self.dropout = nn.Dropout(probability("dropout", dropout))
        self.blocks = Blocks(
            depth, dim, "pre", heads=heads, ff_dim=ff_dim, dropout=dropout, activation=activation, causal=True,
            rotary=positions == "rotary",
        )  # fmt: skip
        if num_classes is not None:
            self.head = nn.Linear(dim, num_logits(num_classes))
        initialize_normal(self)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("attention.out.weight", "feed_forward.2.weight")):
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * depth))

    def forward(self, tokens: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Tokens (B, T) -> (B, num_logits), or (B, T, vocab_size) of a language model.

        A language model decodes the tokens where `wanted` (B, T) is True alone, if given: (N, vocab_size).
        """
        if self.num_classes is None:
            return self.decode(self.hidden(tokens, wanted))
        return self.head(self.dropout(last(self.encode(left_aligned(tokens)), tokens)))

    def hidden(self, tokens: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Tokens (B, T) -> (B, T, dim): what the blocks make of each token and those before it, where it stands.

        With `wanted` (B, T): (N, dim), of the tokens where it is True.
        """
        order = alignment(tokens)
        x = restored(self.encode(tokens.gather(1, order)), order)
        return x if wanted is None else x[wanted]

    def decode(self, hidden: Tensor) -> Tensor:  # (..., dim) -> (..., vocab_size)
        """Logits of the next token."""
        return F.linear(hidden, self.embedding.weight)

    def encode(self, tokens: Tensor, caches: list[Cache] | None = None) -> Tensor:
        """Left-aligned tokens (B, T) -> (B, T, dim). With `caches` they follow on what those have seen.

        Padding needs no mask: it comes after the tokens, which look back alone.
        """
        start = len(caches[0]) if caches else 0
        x = self.positions(self.embedding(tokens), start)
        return self.blocks(self.dropout(x), caches=caches)

    def caches(self) -> list[Cache]:
        """Empty ones, as `encode` takes them."""
        return [Cache() for _ in self.blocks.blocks]
