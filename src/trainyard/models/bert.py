"""BERT (Devlin et al., 2018): a bidirectional Transformer, to classify texts or to predict masked tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.layers.activations import activation as make_activation
from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize_normal
from trainyard.models.layers.padding import PADDING, alignment, masked_mean, restore, token_mask
from trainyard.models.layers.positions import Positions
from trainyard.models.layers.transformer_block import EPSILON, TransformerStack

POOLS = ("cls", "mean")


class BERT(nn.Module):
    """Embeddings of token, position and segment, layer norm, dropout, `depth` blocks over a class token and the text.

    With `num_classes`: a tanh layer on the class token (`pool: cls`) or on the tokens' mean, dropout, a linear head.
    Without: a language model, which computes logits over the vocabulary for each token by a linear layer, a layer norm
    and the token embeddings. Both use the same names for the weights that they share. The network adds the class token
    in front of the text (one vector for token, position and segment); it is in no output.
    """

    causal = False

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        num_classes: int | None = None,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        ff_dim: int = 512,
        norm: str = "post",
        positions: str = "learned",
        activation: str = "gelu",
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        pool: str = "cls",
        segments: int = 2,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f"pool={pool} is unknown; choose one of {', '.join(POOLS)}")
        self.pool, self.num_classes = pool, num_classes
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=PADDING)
        self.segment = nn.Embedding(segments, dim)
        self.class_token = nn.Parameter(torch.empty(dim))
        self.positions = Positions(positions, max_length, dim)
        self.norm = nn.LayerNorm(dim, EPSILON)
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.blocks = TransformerStack(
            depth, dim, norm, heads=heads, ff_dim=ff_dim, dropout=dropout, activation=activation,
            rotary=positions == "rotary", attention_dropout=attention_dropout,
        )  # fmt: skip
        if num_classes is None:
            self.transform = nn.Sequential(nn.Linear(dim, dim), make_activation(activation), nn.LayerNorm(dim, EPSILON))
            self.bias = nn.Parameter(torch.zeros(vocab_size))
        else:
            self.pooler = nn.Sequential(nn.Linear(dim, dim), nn.Tanh())
            self.head = nn.Linear(dim, num_logits(num_classes))
        initialize_normal(self)
        nn.init.normal_(self.class_token, std=0.02)

    def forward(self, tokens: Tensor, segments: Tensor | None = None, target_positions: Tensor | None = None) -> Tensor:
        """Tokens and segments (B, T) -> (B, num_logits), or (B, T, vocab_size) of a language model.

        With `target_positions` (B, T), a language model decodes only the tokens where it is True: (N, vocab_size).
        """
        if self.num_classes is None:
            return self.decode(self.hidden(tokens, segments, target_positions))
        x = self.encode(tokens, segments, alignment(tokens))
        pooled = x[:, 0] if self.pool == "cls" else masked_mean(x[:, 1:], token_mask(tokens))
        return self.head(self.dropout(self.pooler(pooled)))

    def hidden(self, tokens: Tensor, segments: Tensor | None = None, target_positions: Tensor | None = None) -> Tensor:
        """Tokens and segments (B, T) -> (B, T, dim): the blocks' output at each token.

        With `target_positions` (B, T): (N, dim), at the tokens where it is True (none of them padding), in their order.
        """
        order = alignment(tokens)
        x = self.encode(tokens, segments, order, target_positions)
        return restore(x[:, 1:], order) if target_positions is None else x

    def decode(self, hidden: Tensor) -> Tensor:  # (..., dim) -> (..., vocab_size)
        """The logits of the token at that position."""
        return F.linear(self.transform(hidden), self.embedding.weight, self.bias)

    def encode(
        self, tokens: Tensor, segments: Tensor | None, order: Tensor, target_positions: Tensor | None = None
    ) -> Tensor:
        """Tokens, segments and their alignment (B, T) -> (B, 1 + T, dim): the class token, then the aligned text.

        With `target_positions` (B, T): only those tokens of the text, (N, dim).
        """
        x, mask = self.embed(tokens, segments, order)
        return self.blocks(x, mask, target_positions=behind_class_token(target_positions, order))

    def embed(self, tokens: Tensor, segments: Tensor | None, order: Tensor) -> tuple[Tensor, Tensor]:
        """The input of the blocks, (B, 1 + T, dim), and where it is no padding, (B, 1 + T)."""
        tokens = tokens.gather(1, order)
        segment = self.segment.weight[0] if segments is None else self.segment(segments.gather(1, order))
        first = self.class_token.expand(tokens.shape[0], 1, -1)
        x = torch.cat([first, self.positions(self.embedding(tokens) + segment)], dim=1)
        return self.dropout(self.norm(x)), F.pad(tokens != PADDING, (1, 0), value=True)


def behind_class_token(target_positions: Tensor | None, order: Tensor) -> Tensor | None:  # (B, T) -> (B, 1 + T)
    """The same positions in the aligned text with the class token in front, which is none of them."""
    return None if target_positions is None else F.pad(target_positions.gather(1, order), (1, 0), value=False)
