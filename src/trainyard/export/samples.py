"""Real samples of a run's data, in batches of several sizes and lengths."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from lightning import LightningDataModule
from torch import Tensor

from trainyard.data.base import DataModule
from trainyard.data.loading.hashing import seeded
from trainyard.errors import UserError

SHAPES = ((1, 1.0), (2, 0.5), (3, 0.25), (8, 1.0), (1, 0.0), (4, 0.0), (32, 0.75))  # samples, and part of the length


class Split(NamedTuple):
    """The samples of a split as the dataset stores them, and their labels."""

    inputs: Tensor  # (N, ...)
    labels: Tensor  # (N)


def read_split(data: LightningDataModule, split: str = "val", most: int | None = None) -> Split:
    """At most `most` samples of a split (train, val or test), spread over it."""
    data.prepare_data()
    data.setup({"train": "fit", "val": "validate", "test": "test"}[split])
    if not isinstance(data, DataModule):
        loader = getattr(data, f"{split}_dataloader")()
        batches = [(batch[0], batch[1]) for batch in _first(loader, most) if isinstance(batch, list | tuple)]
        if not batches or not isinstance(batches[0][0], Tensor):
            raise UserError(f"{type(data).__name__} has no batches of (inputs, labels) to check the program on")
        inputs, labels = (torch.cat(part)[:most] for part in zip(*batches, strict=True))
        return Split(inputs, labels)
    samples = data.splits[split]
    count = len(samples) if most is None else min(most, len(samples))
    rows = samples.rows[torch.linspace(0, len(samples) - 1, count).long()]
    with seeded(0):
        inputs = samples.inputs[rows]
    longest = getattr(data, "max_length", None)
    return Split(inputs[:, :longest] if longest else inputs, samples.all_labels[rows])


def _first(loader: Iterator, most: int | None) -> Iterator:
    """Batches until there are `most` samples."""
    count = 0
    for batch in loader:
        yield batch
        count += len(batch[0])
        if most is not None and count >= most:
            return


def trial_batches(inputs: Tensor, max_length: int | None, side: str, dynamic: bool) -> list[Tensor]:
    """Batches to compare a program and its network on: one sample and many, the shortest texts and the longest.

    Without `dynamic`: samples one by one, texts padded to `max_length`.
    """
    if not dynamic:
        whole = fit_length(inputs, max_length, side) if max_length else inputs
        return list(whole[:8].split(1))
    shapes = SHAPES if max_length else tuple({size: (size, 1.0) for size, _ in SHAPES}.values())
    batches, start = [], 0
    for size, part in shapes:
        rows = (start + torch.arange(min(size, len(inputs)))) % len(inputs)
        start += size
        batch = inputs[rows]
        batches.append(fit_length(batch, max(1, round(part * max_length)), side) if max_length else batch)
    return batches


def fit_length(tokens: Tensor, length: int, side: str) -> Tensor:  # (B, T) -> (B, length)
    """Texts cut, or padded on `side`, to a length; what is kept is next to where the text is."""
    missing = max(0, length - tokens.shape[1])
    if side == "left":
        return F.pad(tokens, (missing, 0))[:, -length:]
    return F.pad(tokens, (0, missing))[:, :length]
