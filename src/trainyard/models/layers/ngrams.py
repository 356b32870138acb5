"""N-grams as numbers: a hash of every run of adjacent tokens (Weinberger et al., 2009)."""

import torch
from torch import Tensor

from trainyard.models.layers.padding import PADDING

MULTIPLIER = 0x9E3779B97F4A7C15 - 2**64  # odd, as an int64; products wrap around


def ngram_hashes(tokens: Tensor, longest: int) -> list[tuple[Tensor, Tensor]]:  # (B, T)
    """Of each length from 1 to `longest`: the hashes (B, T - length + 1), int64, and which are of tokens alone.

    `tokens` are left-aligned. An n-gram has the same hash wherever it stands.
    """
    hashes = mixed(tokens)
    found = [(hashes, tokens != PADDING)]
    for length in range(2, longest + 1):  # of a text shorter than that, an n-gram has no column
        last = tokens[:, length - 1 :]
        hashes = mixed(hashes[:, :-1] + last)
        found.append((hashes, last != PADDING))
    return found


def mixed(numbers: Tensor) -> Tensor:
    """Other numbers, one for each, whose bits all depend on those of the given one."""
    product = numbers * MULTIPLIER
    return product ^ (product >> 32)


def once(rows: Tensor) -> Tensor:  # (B, N) -> (B, N)
    """The numbers of each row in ascending order, all but the first of equal ones replaced by PADDING."""
    rows = rows.sort(dim=1).values
    return rows.masked_fill(~is_new(rows), PADDING)


def is_new(values: Tensor) -> Tensor:  # (B, N), sorted -> (B, N) bool
    """Whether a value is the first, or another than the one before it."""
    return (values != values.roll(1, 1)) | (torch.arange(values.shape[1], device=values.device) == 0)
