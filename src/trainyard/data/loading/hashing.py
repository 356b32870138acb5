"""Random numbers without a generator: each is a pure function of a sample's key and the draw's name.

A key is a hash of (seed, epoch, sample), so that what happens to a sample does not depend on batch size, worker, rank,
device or on what ran before.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def stable_hash(*parts: object) -> int:
    """A 63-bit hash of the parts, the same in every process (unlike Python's own)."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def content_digest(*parts: Tensor | np.ndarray | str) -> str:
    """128 bits of the content of arrays and texts, in hexadecimal: equal for equal content, wherever it came from."""
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, str):
            digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
        match part:
            case str():
                digest.update(part.encode())
            case Tensor():
                digest.update(part.contiguous().flatten().view(torch.uint8).numpy().data)
            case _:
                digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:32]


def splitmix64(x: Tensor) -> Tensor:  # int64, any shape -> the same shape
    """Map 64-bit integers one to one to random-looking ones: splitmix64's finalizer (Steele, Lea & Flood, 2014)."""
    x = (x ^ shift_right(x, 30)) * (0xBF58476D1CE4E5B9 - 2**64)  # products wrap around
    x = (x ^ shift_right(x, 27)) * (0x94D049BB133111EB - 2**64)
    return x ^ shift_right(x, 31)


def shift_right(x: Tensor, bits: int) -> Tensor:
    """Shift right, filling with zeros (torch's own operator fills with the sign)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def sample_keys(seed: int, epoch: int, index: Tensor) -> Tensor:  # (B) -> (B), int64
    """One key for each sample of an epoch."""
    return splitmix64(index + stable_hash(seed, "sample", epoch))


def epoch_turns(seed: int, epoch: int, index: Tensor) -> Tensor:  # (B) -> (B), bool
    """True in every second epoch, for half of the samples in the even ones."""
    bits = shift_right(splitmix64(index + stable_hash(seed, "turn")), 40) & 1
    return (bits + epoch) % 2 == 1


def uniform(keys: Tensor, name: str, low: float = 0.0, high: float = 1.0) -> Tensor:  # (B) -> (B), float32
    """A draw from [low, high) for each key; draws of different names are independent."""
    bits = shift_right(splitmix64(keys + stable_hash(name)), 40)  # the upper 24 bits: float32 represents no more
    return low + (high - low) * bits.to(torch.float32) / 2**24


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """Seed Python's, numpy's and torch's generators (on the CPU) within `with`, and leave them as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(key)
    np.random.seed(key & 0xFFFFFFFF)
    torch.default_generator.manual_seed(key)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def reseeded(x: Tensor, keys: Sequence[int]) -> Iterator[Tensor]:
    """The samples of a batch one by one, each with all generators seeded by its key until the next one is taken."""
    devices = [x.device] if x.is_cuda else []
    with seeded(0), torch.random.fork_rng(devices=devices):
        for sample, key in zip(x, keys, strict=True):
            random.seed(key)
            np.random.seed(key & 0xFFFFFFFF)
            torch.default_generator.manual_seed(key)
            if devices:
                torch.cuda.manual_seed(key)
            yield sample
