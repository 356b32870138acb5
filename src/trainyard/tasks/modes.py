"""Training and evaluation modes of the parts of a module."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def modes_kept(module: nn.Module) -> Iterator[None]:
    """Afterwards each part is in the mode in which it was, whatever was switched within `with`.

    (`train()` would not do: some parts of a network are in evaluation mode for good.)
    """
    modes = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
