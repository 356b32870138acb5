"""Multi-head self-attention (Vaswani et al., 2017): the one that every network of ours has."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.checks import probability
from trainyard.models.positions import rotated


class Cache:
    """Keys and values of the tokens that one attention has seen, so that each token is projected once."""

    def __init__(self) -> None:
        self.seen: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return 0 if self.seen is None else self.seen[0].shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Everything seen up to now, these included."""
        if self.seen is not None:
            keys, values = torch.cat([self.seen[0], keys], dim=2), torch.cat([self.seen[1], values], dim=2)
        self.seen = keys, values
        return self.seen


class SelfAttention(nn.Module):
    """Each token takes a mean of all tokens' values, weighted by how well their keys match its query.

    `head_dim` is dim // heads unless given. `dropout` acts on the weights, `causal` lets a token see itself and those
    before it alone, `rotary` turns queries and keys by their positions.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        if heads < 1 or (head_dim is None and dim % heads):
            raise ValueError(f"heads={heads} does not divide dim={dim}; choose one that does, or set head_dim")
        self.heads, self.head_dim = heads, dim // heads if head_dim is None else head_dim
        if rotary and self.head_dim % 2:
            raise ValueError(f"positions=rotary turns pairs, so that head_dim={self.head_dim} must be even")
        self.dropout, self.causal, self.rotary = probability("attention dropout", dropout), causal, rotary
        self.qkv = nn.Linear(dim, 3 * heads * self.head_dim)
        self.out = nn.Linear(heads * self.head_dim, dim)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, cache: Cache | None = None, wanted: Tensor | None = None
    ) -> Tensor:
        """(B, T, dim) -> (B, T, dim). `mask` (B, T) is True at tokens to be seen; each row needs one of them.

        With a `cache`, x follows on what that has seen, and is added to it. With `wanted` (B, T), the tokens where it
        is True alone come out, as (N, dim).
        """
        q, k, v = self.project(x, cache)
        simple = self.causal and mask is None and q.shape[2] == k.shape[2]  # what the fused kernels do by themselves
        seen = None if simple else self.visible(q, k, mask)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropout, is_causal=simple)
        y = y.transpose(1, 2).flatten(2)
        return self.out(y if wanted is None else y[wanted])

    def weights(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # (B, T, dim) -> (B, heads, T, T)
        """How much of each token (last axis) every token takes in (last axis but one), by head. Rows sum to 1."""
        q, k, _ = self.project(x)
        scores = q @ k.transpose(2, 3) / math.sqrt(self.head_dim)
        seen = self.visible(q, k, mask)
        return (scores if seen is None else scores.masked_fill(~seen, -torch.inf)).softmax(-1)

    def project(self, x: Tensor, cache: Cache | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, dim) -> queries (B, heads, T, head_dim), keys and values of all that has been seen."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        if self.rotary:
            start = 0 if cache is None else len(cache)
            q, k = rotated(q, start), rotated(k, start)
        return (q, k, v) if cache is None else (q, *cache.extend(k, v))

    def visible(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor | None:
        """What each query may look at, as far as (B, 1, T, S) is needed to say it; None if at everything."""
        seen = None if mask is None else mask[:, None, None]
        if self.causal and q.shape[2] > 1:
            size = q.shape[2], k.shape[2]
            past = torch.ones(size, dtype=torch.bool, device=q.device).tril(size[1] - size[0])
            seen = past if seen is None else seen & past
        return seen
