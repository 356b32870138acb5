"""Positions: learned or sinusoidal embeddings (Vaswani et al., 2017), or rotations (RoPE; Su et al., 2021)."""

import math

import torch
from torch import Tensor, nn

POSITIONS = ("learned", "sinusoidal", "rotary", "none")


class Positions(nn.Module):
    """Add to each token the embedding of its position, which is a weight (`learned`) or fixed (`sinusoidal`).

    Sinusoids have amplitude 1, so token embeddings are scaled by sqrt(dim) first, as in the paper. `rotary` and `none`
    add nothing; the first acts in the attention. ValueError for rows longer than `max_length`, with every kind.
    """

    table: Tensor | None

    def __init__(self, kind: str, max_length: int, dim: int) -> None:
        super().__init__()
        if kind not in POSITIONS:
            raise ValueError(f"positions={kind} is unknown; choose one of {', '.join(POSITIONS)}")
        self.max_length, self.scale = max_length, math.sqrt(dim) if kind == "sinusoidal" else 1.0
        if kind == "learned":
            self.table = nn.Parameter(torch.empty(max_length, dim))
            nn.init.normal_(self.table, std=0.02)
        else:
            self.register_buffer(
                "table", sinusoids(max_length, dim) if kind == "sinusoidal" else None, persistent=False
            )

    def forward(self, x: Tensor, start: int = 0) -> Tensor:  # (B, T, dim) -> (B, T, dim)
        end = start + x.shape[1]
        if end > self.max_length:
            raise ValueError(
                f"a sequence of {end} tokens exceeds max_length={self.max_length}; shorten it or raise that"
            )
        return x if self.table is None else self.scale * x + self.table[start:end]


def sinusoids(length: int, dim: int) -> Tensor:  # -> (length, dim)
    """Sines at even and cosines at odd places, wavelengths from 2 pi to 10,000 x 2 pi."""
    angles = frequencies(dim + dim % 2) * torch.arange(length)[:, None]
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :dim]


def frequencies(dim: int, device: torch.device | None = None) -> Tensor:  # -> (dim / 2,)
    """Radians per position, falling geometrically from 1."""
    return 10_000 ** -(torch.arange(0, dim, 2, device=device) / dim)


def rotate(x: Tensor, start: int = 0) -> Tensor:  # (B, heads, T, head_dim) -> (B, heads, T, head_dim)
    """Rotate each pair (i, i + head_dim / 2) by an angle proportional to the position, counted from `start`.

    The product of a query and a key then depends on their distance alone.
    """
    steps = torch.arange(start, start + x.shape[2], device=x.device)
    angles = steps[:, None] * frequencies(x.shape[3], x.device)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
