"""Random numbers without a generator: each is a pure function of a sample's key and the draw's name.

A key folds (seed, epoch, sample) together, so what happens to a sample does not depend on batch size, worker,
rank, device or on what ran before. The mixing is splitmix64's finaliser (Steele, Lea & Flood, 2014).
"""

import hashlib

import torch
from torch import Tensor


def fold(*parts: object) -> int:
    """A 63-bit hash of the parts, the same in every process (unlike Python's own)."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def mix(x: Tensor) -> Tensor:  # int64, any shape, to the same shape
    """Scramble 64-bit integers one to one; products wrap around."""
    x = (x ^ shift(x, 30)) * (0xBF58476D1CE4E5B9 - 2**64)
    x = (x ^ shift(x, 27)) * (0x94D049BB133111EB - 2**64)
    return x ^ shift(x, 31)


def shift(x: Tensor, bits: int) -> Tensor:
    """Shift right, filling with zeros (torch's own fills with the sign)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def sample_keys(seed: int, epoch: int, index: Tensor) -> Tensor:  # (B) -> (B), int64
    """One key for each sample of an epoch."""
    return mix(index + fold(seed, "sample", epoch))


def uniform(keys: Tensor, name: str, low: float = 0.0, high: float = 1.0) -> Tensor:  # (B) -> (B), float32
    """A draw from [low, high) for each key; draws of different names are independent."""
    bits = shift(mix(keys + fold(name)), 40)  # the upper 24 bits: all that float32 can hold exactly
    return low + (high - low) * bits.to(torch.float32) / 2**24
