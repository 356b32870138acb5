"""Arrays of bytes in IDX files, the format of MNIST (LeCun et al., 1998)."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import torch
from torch import Tensor

UNSIGNED_BYTE = 8  # the format's number for it
MOST = 1 << 30  # bytes of an array


def read_idx(path: Path, axes: int) -> Tensor:
    """The array in a file, compressed (.gz) or not, as uint8; ValueError for a file that is none with so many axes."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            head = file.read(4 + 4 * axes)
            if head[:4] != bytes((0, 0, UNSIGNED_BYTE, axes)) or len(head) < 4 + 4 * axes:
                raise ValueError(f"{path} is no IDX file of bytes with {axes} axes: it begins with {head[:4].hex(' ')}")
            shape = struct.unpack(f">{axes}I", head[4:])
            if prod(shape) > MOST:
                raise ValueError(f"{path} says that it has {prod(shape):,} bytes, more than {MOST:,}")
            content = file.read(prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read ({error}); delete it and try again") from error
    if len(content) != prod(shape):
        there = f"{len(content):,}" if len(content) < prod(shape) else "more"
        raise ValueError(f"{path} has {there} bytes after its header, which says {prod(shape):,}; delete it")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(shape)
