"""ELECTRA (Clark et al., 2020): a BERT that tells which tokens of a text were replaced, and what replaces them."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.bert import BERT, behind_class_token
from trainyard.models.layers.activations import activation as make_activation
from trainyard.models.layers.init import initialize_normal
from trainyard.models.layers.padding import alignment
from trainyard.models.layers.transformer_block import EPSILON, TransformerStack


class Generator(nn.Module):
    """A narrow stack of blocks between the embeddings of another network: a linear layer before, two layers after."""

    def __init__(self, dim: int, width: int, depth: int, norm: str, activation: str, **block: Any) -> None:
        super().__init__()
        self.narrow = nn.Linear(dim, width)
        self.blocks = TransformerStack(depth, width, norm, activation=activation, **block)
        self.widen = nn.Sequential(nn.Linear(width, dim), make_activation(activation), nn.LayerNorm(dim, EPSILON))

    def forward(self, x: Tensor, mask: Tensor, target_positions: Tensor) -> Tensor:
        """(B, T, dim), (B, T), (B, T) -> (N, dim), of the tokens at the target positions alone."""
        return self.widen(self.blocks(self.narrow(x), mask, target_positions=target_positions))


class ELECTRA(BERT):
    """A BERT with a logit for each token, which was replaced or not, and a small masked language model that replaces.

    This generator has as many blocks, `generator_size` times as wide, with so many times as many heads. Both share all
    embeddings, with their norm, and the generator's output has the token embeddings as weights. All that a classifier
    needs has the names of BERT's own weights, so that `model=bert` can start with them.
    """

    causal = None  # no language model

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        num_classes: int | None = None,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        ff_dim: int = 512,
        generator_size: float = 0.5,
        norm: str = "post",
        positions: str = "learned",
        activation: str = "gelu",
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        segments: int = 2,
    ) -> None:
        if num_classes is not None:
            raise ValueError(
                "ELECTRA finds replaced tokens (data=imdb_rtd), it has no classes; model=bert pretrained=RUN is a "
                "classifier with its weights"
            )
        width, fewer, narrower = (round(size * generator_size) for size in (dim, heads, ff_dim))
        if not 0 < generator_size <= 1 or min(width, narrower) < 1:
            raise ValueError(f"generator_size={generator_size} must be in (0, 1], and leave at least 1 of dim={dim}")
        super().__init__(
            vocab_size, max_length, None, dim, depth, heads, ff_dim, norm, positions, activation, dropout,
            attention_dropout, segments=segments,
        )  # fmt: skip
        self.head = nn.Linear(dim, 1)
        self.generator = Generator(
            dim, width, depth, norm, activation, heads=max(1, fewer), ff_dim=narrower, dropout=dropout,
            rotary=positions == "rotary", attention_dropout=attention_dropout,
        )  # fmt: skip
        initialize_normal(self.head)
        initialize_normal(self.generator)

    def forward(self, tokens: Tensor, segments: Tensor | None = None) -> Tensor:  # (B, T), (B, T) -> (B, T)
        """The logit that each token was replaced."""
        return self.head(self.transform(self.hidden(tokens, segments))).squeeze(-1)

    def fill(self, tokens: Tensor, target_positions: Tensor) -> Tensor:  # (B, T), (B, T) -> (N, vocab_size)
        """The generator's logits of the tokens where `target_positions` is True."""
        order = alignment(tokens)
        x, mask = self.embed(tokens, None, order)
        hidden = self.generator(x, mask, behind_class_token(target_positions, order))
        return F.linear(hidden, self.embedding.weight, self.bias)
