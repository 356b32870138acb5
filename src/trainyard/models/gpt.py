"""GPT (Radford et al., 2018 and 2019): a causal Transformer, to continue texts or to classify them."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.layers.attention import KeyValueCache
from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize_normal
from trainyard.models.layers.padding import PADDING, alignment, last, left_aligned, restore
from trainyard.models.layers.positions import Positions
from trainyard.models.layers.transformer_block import EPSILON, TransformerStack


class GPT(nn.Module):
    """Embeddings of token and position, dropout, `depth` causal pre-norm blocks, a layer norm.

    With `num_classes`: dropout and a linear head on the last token. Without: a language model, which computes at each
    token the logits of the next one, with the token embeddings as weights. Weights are initialized from a normal
    distribution with standard deviation 0.02, divided by sqrt(2 depth) for the last layer of each residual branch, so
    that the sum over blocks keeps its scale; with `zero_init` those are zeros, so that each block starts as the
    identity. `qk_norm` and `fused_attention` as in SelfAttention; `embed_norm` adds a layer norm before the first
    dropout.
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
        attention_dropout: float = 0.0,
        qk_norm: bool = False,
        zero_init: bool = False,
        embed_norm: bool = False,
        fused_attention: bool = True,
    ) -> None:
        super().__init__()
        self.num_classes, self.max_length = num_classes, max_length
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=PADDING)
        self.positions = Positions(positions, max_length, dim)
        self.norm = nn.LayerNorm(dim, EPSILON) if embed_norm else nn.Identity()
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.blocks = TransformerStack(
            depth, dim, "pre", heads=heads, ff_dim=ff_dim, dropout=dropout, activation=activation, causal=True,
            rotary=positions == "rotary", attention_dropout=attention_dropout, qk_norm=qk_norm,
            fused=fused_attention,
        )  # fmt: skip
        if num_classes is not None:
            self.head = nn.Linear(dim, num_logits(num_classes))
        initialize_normal(self)
        self.blocks.initialize_last_layers(0.0 if zero_init else 0.02 / math.sqrt(2 * depth))

    def forward(self, tokens: Tensor, target_positions: Tensor | None = None) -> Tensor:
        """Tokens (B, T) -> (B, num_logits), or (B, T, vocab_size) of a language model.

        With `target_positions` (B, T), a language model decodes only the tokens where it is True: (N, vocab_size).
        """
        if self.num_classes is None:
            return self.decode(self.hidden(tokens, target_positions))
        return self.head(self.dropout(last(self.encode(left_aligned(tokens)), tokens)))

    def hidden(self, tokens: Tensor, target_positions: Tensor | None = None) -> Tensor:
        """Tokens (B, T) -> (B, T, dim): the blocks' output at each token.

        With `target_positions` (B, T): (N, dim), at the tokens where it is True.
        """
        order = alignment(tokens)
        return restore(self.encode(tokens.gather(1, order)), order, target_positions)

    def decode(self, hidden: Tensor) -> Tensor:  # (..., dim) -> (..., vocab_size)
        """The logits of the next token."""
        return F.linear(hidden, self.embedding.weight)

    def encode(self, tokens: Tensor, caches: list[KeyValueCache] | None = None) -> Tensor:
        """Left-aligned tokens (B, T) -> (B, T, dim). With `caches` they continue what those contain.

        Padding needs no mask: it follows the tokens, which attend only to earlier positions.
        """
        start = len(caches[0]) if caches else 0
        x = self.positions(self.embedding(tokens), start)
        return self.blocks(self.dropout(self.norm(x)), caches=caches)

    def caches(self) -> list[KeyValueCache]:
        """New caches, one for each block, as `encode` takes them."""
        return [KeyValueCache() for _ in self.blocks.blocks]
