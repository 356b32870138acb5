"""Recurrent networks over tokens: what LSTM and GRU share."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize_normal
from trainyard.models.layers.padding import alignment, last, lengths, masked_max, masked_mean, restore, token_mask

POOLS = ("last", "mean", "max")
Cell = type[nn.LSTM] | type[nn.GRU]


class Layer(nn.Module):
    """One recurrent layer over left-aligned rows, in one direction or both.

    Sequences are not packed: padding after the last token cannot change earlier outputs, and the backward direction
    reads each row's tokens reversed in place. torch's fused kernels on whole tensors take a third of the time that
    packed sequences take.
    """

    def __init__(self, cell: Cell, inputs: int, width: int, bidirectional: bool) -> None:
        super().__init__()
        self.there = cell(inputs, width, batch_first=True)
        self.back = cell(inputs, width, batch_first=True) if bidirectional else None

    def forward(self, x: Tensor, length: Tensor) -> Tensor:  # (B, T, inputs), (B,) -> (B, T, width or 2 width)
        there = self.there(x)[0]
        if self.back is None:
            return there
        rows, steps = torch.arange(x.shape[0], device=x.device)[:, None], torch.arange(x.shape[1], device=x.device)
        mirror = torch.where(steps < length[:, None], length[:, None] - 1 - steps, steps)
        return torch.cat([there, self.back(x[rows, mirror])[0][rows, mirror]], dim=-1)


class Recurrent(nn.Module):
    """Embedding, a recurrent layer for each of `layers` (widths), pooling of the last layer's outputs, a linear head.

    Without `num_classes` and `num_outputs`: a language model in place of pooling and head, which computes at each token
    the logits of the next one by a linear layer and the token embeddings. A classifier can start with its embeddings
    and layers (Dai & Le, 2015); both use the same names for them.
    `pool: last` takes the output at the last token and, if `bidirectional`, the backward direction's at the first
    token; `mean` and `max` pool over the tokens. `dropout` acts on the embeddings, between layers and before the head.
    Weights are initialized as in Keras, the article's framework: Glorot for inputs, orthogonal for states, zero biases
    except 1 for forget gates (Jozefowicz et al., 2015).
    """

    cell: ClassVar[Cell]
    causal = True  # as a language model

    def __init__(
        self,
        vocab_size: int,
        num_classes: int | None,
        layers: list[int],
        dim: int = 128,
        bidirectional: bool = False,
        dropout: float = 0.0,
        pool: str = "last",
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        if not layers or min(layers) < 1:
            raise ValueError(f"layers={list(layers)}: a recurrent network needs at least 1 layer of at least 1 unit")
        if pool not in POOLS:
            raise ValueError(f"pool={pool} is unknown; choose one of {', '.join(POOLS)}")
        self.pool, self.width = pool, layers[-1]
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        sides = 2 if bidirectional else 1
        inputs = [dim, *(sides * width for width in layers)]
        pairs = zip(inputs, layers, strict=False)
        self.layers = nn.ModuleList(Layer(self.cell, size, width, bidirectional) for size, width in pairs)
        self.num_classes, self.is_language_model = num_classes, num_classes is None and num_outputs is None
        if not self.is_language_model:
            self.head = nn.Linear(inputs[-1], num_logits(num_classes, num_outputs))
        elif bidirectional:
            raise ValueError("bidirectional=true: a language model would read the tokens that it should predict")
        self.initialize()
        if self.is_language_model:
            self.transform = nn.Linear(inputs[-1], dim)
            self.bias = nn.Parameter(torch.zeros(vocab_size))
            initialize_normal(self.transform)

    def initialize(self) -> None:
        """Initialize all weights but the head's, in place."""
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
            for name, weight in self.layers.named_parameters():
                if "weight_ih" in name:
                    nn.init.xavier_uniform_(weight)
                elif "weight_hh" in name:
                    nn.init.orthogonal_(weight)
                else:
                    weight.zero_()
                    if self.cell is nn.LSTM and "bias_ih" in name:
                        weight.chunk(4)[1].fill_(1)  # torch's order: input, forget, cell, output

    def forward(self, tokens: Tensor, target_positions: Tensor | None = None) -> Tensor:
        """Tokens (B, T) -> (B, num_logits), or (B, T, vocab_size) of a language model.

        With `target_positions` (B, T), a language model decodes only the tokens where it is True: (N, vocab_size).
        """
        order = alignment(tokens)
        tokens = tokens.gather(1, order)
        x = self.encode(tokens)
        if self.is_language_model:
            return self.decode(restore(x, order, target_positions))
        return self.head(self.pooled(x, tokens))

    def encode(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, T, width)
        """The last layer's outputs of left-aligned tokens."""
        length = lengths(tokens)
        x = self.dropout(self.embedding(tokens))
        for layer in self.layers:
            x = self.dropout(layer(x, length))
        return x

    def decode(self, hidden: Tensor) -> Tensor:  # (..., width) -> (..., vocab_size)
        """The logits of the next token."""
        return F.linear(self.transform(hidden), self.embedding.weight, self.bias)

    def pooled(self, x: Tensor, tokens: Tensor) -> Tensor:  # (B, T, width), (B, T) -> (B, width)
        """One vector per row."""
        if self.pool == "mean":
            return masked_mean(x, token_mask(tokens))
        if self.pool == "max":
            return masked_max(x, token_mask(tokens))
        there, back = x[..., : self.width], x[..., self.width :]  # empty with one direction
        return torch.cat([last(there, tokens), back[:, 0]], dim=-1)
