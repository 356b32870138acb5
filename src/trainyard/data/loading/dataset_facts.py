"""What a map-style dataset says of itself: its targets, its classes, the shape of a sample."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from trainyard.data.loading.announce import announced
from trainyard.data.loading.hashing import content_digest, reseeded, sample_keys
from trainyard.data.loading.items import Names, check_class_count, check_map_style, sample_of, stacked

STATED = ("targets", "labels")  # attributes in which a dataset may have the targets of all samples
COMPARED = 8  # samples that are read to find out what the whole is like


class Items:
    """The samples of a dataset by number, `named` in errors; without `has_classes`, whole targets are numbers too."""

    def __init__(self, dataset: Any, names: Names, named: str, has_classes: bool = True) -> None:
        check_map_style(dataset, named)
        self.dataset, self.names, self.named, self.has_classes = dataset, names, named, has_classes

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, rows: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:  # (B), (B) -> (B, ...), (B, ...)
        """Inputs and targets; while a sample is read, all generators of random numbers are seeded by its key."""
        read = [self.sample(row) for row in reseeded(rows, keys.tolist())]
        inputs, targets = zip(*read, strict=True)
        return stacked(inputs, self.named), stacked(targets, f"the target of {self.named}")

    def sample(self, row: Tensor | int) -> tuple[Tensor, Tensor]:
        """A sample, with the generators as they are."""
        inputs, target = sample_of(self.dataset[int(row)], self.names, f"item {int(row)} of {self.named}")
        return inputs, target if self.has_classes else target.float()

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes, as far as the dataset states them."""
        stated = getattr(self.dataset, "classes", None)
        is_list = isinstance(stated, Sequence) and not isinstance(stated, str)
        return [str(name) for name in stated] if is_list else None  # pyright: ignore

    def __getitem__(self, rows: Tensor) -> Tensor:
        """The inputs alone, as they are in validation."""
        return self.read(rows, sample_keys(0, 0, rows))[0]

    @cached_property
    def few(self) -> Tensor:
        """The numbers of a few samples, of the first and the last one too."""
        return torch.linspace(0, len(self) - 1, min(COMPARED, len(self))).round().long()

    @cached_property
    def draws(self) -> bool:
        """Whether a sample differs from one epoch to another."""
        return not torch.equal(*(self.read(self.few, sample_keys(0, epoch, self.few))[0] for epoch in (1, 2)))

    @cached_property
    def repeats(self) -> bool:
        """Whether the same keys give the same samples: all draws are from generators that are seeded here."""
        return torch.equal(self[self.few], self[self.few])

    def digest(self) -> str:
        """The content of a few samples. (To read all would take too long.)"""
        return content_digest(self[self.few]) if self.repeats else ""

    @cached_property
    def targets(self) -> Tensor:
        """The targets of all samples, (N) int64 or (N, ...) float32: as the dataset states them, else read."""
        _, few = self.read(self.few, sample_keys(0, 0, self.few))
        for name in STATED:
            stated = as_targets(getattr(self.dataset, name, None), few.dtype)
            if stated is not None and len(stated) == len(self) and torch.equal(stated[self.few], few):
                return stated
        with announced(f"reading {len(self):,} samples of {self.named}, which does not state their labels"):
            rows = torch.arange(len(self))
            keys = sample_keys(0, 0, rows).tolist()
            return stacked([self.sample(row)[1] for row in reseeded(rows, keys)], f"the target of {self.named}")


def as_targets(stated: Any, dtype: torch.dtype) -> Tensor | None:
    """Targets that a dataset states, as a tensor; None if they are something else."""
    try:
        return None if stated is None or callable(stated) else torch.as_tensor(stated).to(dtype)
    except (TypeError, ValueError, RuntimeError):
        return None


def facts(dataset: Any, names: Names, named: str, has_classes: bool = True) -> dict[str, Any]:
    """The shape of a sample, the names and number of its classes, or the number of its targets."""
    items = Items(dataset, names, named, has_classes)
    sample, target = items.sample(0)
    found: dict[str, Any] = {"shape": list(sample.shape), "classes": None, "num_classes": None, "num_outputs": None}
    if target.is_floating_point():
        return found | {"num_outputs": target.numel()}
    classes = items.classes
    if classes is None:
        count = getattr(dataset, "num_classes", None)
        if not isinstance(count, int):
            largest = int(items.targets.max())
            check_class_count(largest, len(items), named)
            count = largest + 1
        classes = [str(label) for label in range(count)]
    return found | {"classes": classes, "num_classes": len(classes)}
