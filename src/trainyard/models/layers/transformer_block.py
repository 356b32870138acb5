"""The Transformer block (Vaswani et al., 2017): attention, then a feed-forward network; and a stack of blocks."""

from typing import Any

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from trainyard.models.layers.activations import activation as make_activation
from trainyard.models.layers.attention import KeyValueCache, SelfAttention
from trainyard.models.layers.checks import check_probability

NORMS = ("post", "pre")
EPSILON = 1e-6  # of every layer norm


class TransformerBlock(nn.Module):
    """Attention between tokens, then a feed-forward network on each token; each output is added to its input.

    `norm: post` normalizes the sums, as in the paper; `pre` normalizes the inputs (Xiong et al., 2020). `dropout` acts
    on what is added, `attention_dropout` on the attention weights; `stochastic_depth` omits what is added for a
    fraction of the rows (Huang et al., 2016). `qk_norm` and `fused` as in SelfAttention.
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
        attention_dropout: float = 0.0,
        qk_norm: bool = False,
        fused: bool = True,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm={norm} is unknown; choose one of {', '.join(NORMS)}")
        self.pre = norm == "pre"
        self.attention = SelfAttention(dim, heads, head_dim, attention_dropout, causal, rotary, qk_norm, fused)
        self.feed_forward = nn.Sequential(nn.Linear(dim, ff_dim), make_activation(activation), nn.Linear(ff_dim, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim, EPSILON) for _ in range(2))
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.skip = StochasticDepth(check_probability("stochastic_depth", stochastic_depth), "row")

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        target_positions: Tensor | None = None,
    ) -> Tensor:
        """(B, T, dim) -> (B, T, dim), or (N, dim); `mask`, `cache` and `target_positions` as in SelfAttention."""
        first, second = self.norms
        residual = x if target_positions is None else x[target_positions]
        if self.pre:
            x = residual + self.skip(self.dropout(self.attention(first(x), mask, cache, target_positions)))
            return x + self.skip(self.dropout(self.feed_forward(second(x))))
        x = first(residual + self.skip(self.dropout(self.attention(x, mask, cache, target_positions))))
        return second(x + self.skip(self.dropout(self.feed_forward(x))))


class TransformerStack(nn.Module):
    """`depth` blocks, followed by a layer norm if they are pre-norm. Stochastic depth rises linearly to its rate."""

    def __init__(self, depth: int, dim: int, norm: str = "post", stochastic_depth: float = 0.0, **block: Any) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth={depth} must be at least 1")
        rates = [stochastic_depth * (i + 1) / depth for i in range(depth)]
        self.blocks = nn.ModuleList(TransformerBlock(dim, norm=norm, stochastic_depth=rate, **block) for rate in rates)
        self.norm = nn.LayerNorm(dim, EPSILON) if norm == "pre" else nn.Identity()

    def initialize_last_layers(self, std: float) -> None:
        """Initialize the weights whose outputs are added to the inputs from a normal distribution.

        With `std` 0 and biases of 0, each pre-norm block starts as the identity.
        """
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("attention.out.weight", "feed_forward.2.weight")):
                nn.init.normal_(weight, std=std)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        caches: list[KeyValueCache] | None = None,
        target_positions: Tensor | None = None,
    ) -> Tensor:
        """(B, T, dim) -> (B, T, dim); `caches` has one for each block.

        With `target_positions` (B, T) the last block computes only the tokens where it is True: (N, dim).
        """
        for i, block in enumerate(self.blocks):
            is_last = i == len(self.blocks) - 1
            x = block(x, mask, None if caches is None else caches[i], target_positions if is_last else None)
        return self.norm(x)
