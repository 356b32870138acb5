"""Numeric arrays in MATLAB's .mat files of version 5, the format of SVHN.

Read here, in eighty lines, so that one dataset does not need scipy, which tests compare with. MathWorks publishes the
format: a header of 128 bytes, then elements (type, size, content), of which one of type MATRIX, mostly compressed, is
an array, whose content is again elements: flags, shape, name, numbers.
"""

import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np

HEADER, ORDER = 128, slice(126, 128)  # bytes, and where two of them tell the order of bytes
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
MATRIX, COMPRESSED = 14, 15
COMPLEX = 0x800  # a flag
MOST = 1 << 30  # bytes of an array


def read_matlab(path: Path) -> dict[str, np.ndarray]:
    """The arrays of numbers in a file, by name; ValueError for a file that is none, or is damaged."""
    content = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[ORDER]))
    if order is None:
        raise ValueError(f"{path} is not a .mat file of version 5")
    try:
        return dict(arrays(content[HEADER:], order))
    except (struct.error, zlib.error, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and try again") from error


def arrays(content: memoryview, order: str) -> Iterator[tuple[str, np.ndarray]]:
    """The names and arrays of a file's elements; cells, texts, and the like are left out."""
    for kind, body in elements(content, order):
        if kind == COMPRESSED:
            yield from arrays(memoryview(decompress(body)), order)
        elif kind == MATRIX and len(body) and (found := array(body, order)):
            yield found


def elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """The types and contents of a sequence of elements; ValueError if it is cut off."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        start, space = place + 8, size + (-size % 8 if kind != COMPRESSED else 0)
        if kind >> 16:  # a short one: two bytes each for size and type, and four for the content
            kind, size, start, space = kind & 0xFFFF, kind >> 16, place + 4, 4
        if start + size > len(content):
            raise ValueError(f"an element of {size:,} bytes, of which {len(content) - start:,} are there")
        yield kind, content[start : start + size]
        place = start + space


def array(body: memoryview, order: str) -> tuple[str, np.ndarray] | None:
    """The name and the numbers of a matrix; None if they are no real numbers."""
    (_, flags), (_, shape), (_, name), *parts = elements(body, order)
    word = struct.unpack_from(f"{order}I", flags)[0]
    if word & 0xFF not in CLASSES or word & COMPLEX or len(parts) != 1:
        return None
    kind, content = parts[0]
    if kind not in NUMBERS:
        raise ValueError(f"numbers of the type {kind}")
    sizes = [int(size) for size in np.frombuffer(shape, f"{order}i4")]
    numbers = np.frombuffer(content, order + NUMBERS[kind])
    if prod(sizes) != len(numbers):
        raise ValueError(f"{len(numbers):,} numbers, and the shape {sizes}")
    whole = numbers.astype(CLASSES[word & 0xFF], copy=True)  # a file may store numbers in fewer bytes
    return bytes(name).decode("ascii"), whole.reshape(sizes, order="F")


def decompress(content: memoryview) -> bytes:
    """What was compressed; ValueError for more than MOST bytes, or fewer than there were."""
    stream = zlib.decompressobj()
    found = stream.decompress(content, MOST)
    if not stream.eof:
        raise ValueError("its compressed data is cut off" if len(found) < MOST else f"more than {MOST:,} bytes")
    return found
