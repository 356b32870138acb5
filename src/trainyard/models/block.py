"""The Transformer's block (Vaswani et al., 2017): attention, then a feed-forward network; and a stack of them."""

from typing import Any

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from trainyard.models.activations import activation as make_activation
from trainyard.models.attention import Cache, SelfAttention
from trainyard.models.checks import probability

NORMS = ("post", "pre")
EPSILON = 1e-6  # of every layer norm


class Block(nn.Module):
    """Two steps, each added to its input: attention between tokens, and a feed-forward network for each token.

    `norm: post` normalises the sums, as the paper does; `pre` normalises each step's input (Xiong et al., 2020).
    `dropout` acts on what each step adds; `stochastic_depth` leaves it out for a share of rows (Huang et al., 2016).
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        ff_dim: int,
        head_dim: int | None = None,
        dropout: float = 0.0,
        norm: str = "post",
        activation: str = "relu",
        causal: bool = False,
        rotary: bool = False,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm={norm} is unknown; choose one of {', '.join(NORMS)}")
        self.pre = norm == "pre"
        self.attention = SelfAttention(dim, heads, head_dim, causal=causal, rotary=rotary)
        self.feed_forward = nn.Sequential(nn.Linear(dim, ff_dim), make_activation(activation), nn.Linear(ff_dim, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim, EPSILON) for _ in range(2))
        self.dropout = nn.Dropout(probability("dropout", dropout))
        self.skip = StochasticDepth(probability("stochastic_depth", stochastic_depth), "row")

    def forward(
        self, x: Tensor, mask: Tensor | None = None, cache: Cache | None = None, wanted: Tensor | None = None
    ) -> Tensor:
        """(B, T, dim) -> (B, T, dim), or (N, dim); `mask`, `cache` and `wanted` as in SelfAttention."""
        first, second = self.norms
        kept = x if wanted is None else x[wanted]
        if self.pre:
            x = kept + self.skip(self.dropout(self.attention(first(x), mask, cache, wanted)))
            return x + self.skip(self.dropout(self.feed_forward(second(x))))
        x = first(kept + self.skip(self.dropout(self.attention(x, mask, cache, wanted))))
        return second(x + self.skip(self.dropout(self.feed_forward(x))))


class Blocks(nn.Module):
    """`depth` blocks, and a layer norm after them if they are pre-norm. Stochastic depth rises linearly to its rate."""

    def __init__(self, depth: int, dim: int, norm: str = "post", stochastic_depth: float = 0.0, **block: Any) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth={depth}: at least 1 block is needed")
        rates = [stochastic_depth * (i + 1) / depth for i in range(depth)]
        self.blocks = nn.ModuleList(Block(dim, norm=norm, stochastic_depth=rate, **block) for rate in rates)
        self.norm = nn.LayerNorm(dim, EPSILON) if norm == "pre" else nn.Identity()

    def forward(
        self, x: Tensor, mask: Tensor | None = None, caches: list[Cache] | None = None, wanted: Tensor | None = None
    ) -> Tensor:
        """(B, T, dim) -> (B, T, dim); `caches` holds one for each block.

        With `wanted` (B, T) the last block computes the tokens where it is True alone: (N, dim).
        """
        for i, block in enumerate(self.blocks):
            is_last = i == len(self.blocks) - 1
            x = block(x, mask, None if caches is None else caches[i], wanted if is_last else None)
        return self.norm(x)
