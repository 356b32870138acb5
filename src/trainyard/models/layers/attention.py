"""Multi-head self-attention (Vaswani et al., 2017), shared by all Transformers."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.positions import rotate


class KeyValueCache:
    """The keys and values of the tokens that one attention layer has processed, so that each is projected once."""

    def __init__(self) -> None:
        self.seen: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return 0 if self.seen is None else self.seen[0].shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values, and return all of them so far."""
        if self.seen is not None:
            keys, values = torch.cat([self.seen[0], keys], dim=2), torch.cat([self.seen[1], values], dim=2)
        self.seen = keys, values
        return self.seen


class SelfAttention(nn.Module):
    """For each token, the mean of all tokens' values, weighted by how well their keys match its query.

    `head_dim` is dim // heads by default. `dropout` acts on the attention weights, with `causal` a token attends only
    to itself and earlier ones, `rotary` rotates queries and keys by their positions. `qk_norm` divides each query and
    key by its root mean square (Henry et al., 2020), so that a score is `gain`, a weight of each head which starts at
    1, times sqrt(head_dim) times a cosine, however large x and the weights of the projection are. Without `fused`,
    matrix products take the place of torch's kernel, whose backward pass is slow in bfloat16 on a CPU.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        rotary: bool = False,
        qk_norm: bool = False,
        fused: bool = True,
    ) -> None:
        super().__init__()
        if heads < 1 or (head_dim is None and dim % heads):
            raise ValueError(f"heads={heads} must divide dim={dim}; choose another, or set head_dim")
        self.heads, self.head_dim = heads, dim // heads if head_dim is None else head_dim
        if rotary and self.head_dim % 2:
            raise ValueError(f"positions=rotary rotates pairs, so head_dim={self.head_dim} must be even")
        self.dropout, self.causal, self.rotary = check_probability("attention_dropout", dropout), causal, rotary
        self.fused = fused
        self.qkv = nn.Linear(dim, 3 * heads * self.head_dim)
        self.out = nn.Linear(heads * self.head_dim, dim)
        self.gain = nn.Parameter(torch.ones(heads)) if qk_norm else None

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        target_positions: Tensor | None = None,
    ) -> Tensor:
        """(B, T, dim) -> (B, T, dim). `mask` (B, T) is True for tokens to attend to; each row needs at least one.

        With a `cache`, x continues what that contains, and is appended to it. With `target_positions` (B, T), only the
        outputs of the tokens where it is True are returned, as (N, dim).
        """
        q, k, v = self.project(x, cache)
        means = self.fused_means if self.fused else self.plain_means
        y = means(q, k, v, mask).transpose(1, 2).flatten(2)
        return self.out(y if target_positions is None else y[target_positions])

    def fused_means(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """The weighted means of the values (B, heads, T, head_dim), by torch's fused kernels."""
        builtin = self.causal and mask is None and bool(q.shape[2] == k.shape[2])  # the fused kernels' own causal mask
        visible = None if builtin else self.attention_mask(q, k, mask)
        dropout = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, dropout_p=dropout, is_causal=builtin)

    def plain_means(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """The same by matrix products, all weights at once."""
        return F.dropout(self.weights_of(q, k, mask), self.dropout, self.training) @ v

    def weights(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # (B, T, dim) -> (B, heads, T, T)
        """The attention weights by head: of each query (third axis) over all keys (last axis). Rows sum to 1."""
        q, k, _ = self.project(x)
        return self.weights_of(q, k, mask)

    def weights_of(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
        """Queries (B, heads, T, head_dim), keys (B, heads, S, head_dim) -> (B, heads, T, S)."""
        scores = (q / math.sqrt(self.head_dim)) @ k.transpose(2, 3)
        visible = self.attention_mask(q, k, mask)
        return (scores if visible is None else scores.masked_fill(~visible, -torch.inf)).softmax(-1)

    def project(self, x: Tensor, cache: KeyValueCache | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, dim) -> queries (B, heads, T, head_dim), keys and values (B, heads, S, head_dim) with cached ones."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        if self.gain is not None:
            q, k = rms_norm(q) * self.gain[:, None, None].to(q.dtype), rms_norm(k)
        if self.rotary:
            start = 0 if cache is None else len(cache)
            q, k = rotate(q, start), rotate(k, start)
        return (q, k, v) if cache is None else (q, *cache.extend(k, v))

    def attention_mask(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor | None:
        """Which keys each query attends to, in a shape that broadcasts to (B, 1, T, S); None for all keys."""
        visible = None if mask is None else mask[:, None, None]
        if self.causal and q.shape[2] > 1:
            size = q.shape[2], k.shape[2]
            past = torch.ones(size, dtype=torch.bool, device=q.device).tril(size[1] - size[0])
            visible = past if visible is None else visible & past
        return visible


def rms_norm(x: Tensor) -> Tensor:  # (..., dim) -> (..., dim)
    """Each vector divided by its root mean square; a vector of zeros stays one."""
    return F.rms_norm(x, x.shape[-1:])
