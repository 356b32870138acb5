"""Sizes and times in words."""

from torch import Tensor


def milliseconds(seconds: float) -> str:
    """A time of at most some seconds: 0.01234 -> "12.3 ms"."""
    return f"{1000 * seconds:,.3g} ms" if seconds < 1 else f"{1000 * seconds:,.0f} ms"


def num_bytes(tensor: Tensor) -> int:
    """The size of a tensor in bytes."""
    return tensor.numel() * tensor.element_size()


def with_prefix(number: float, unit: str = "") -> str:
    """A number with a decimal prefix: 1234567 -> "1.23 M"."""
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.3g} {prefix}{unit}".rstrip()
        number /= 1000
    return f"{number:.3g} P{unit}"
