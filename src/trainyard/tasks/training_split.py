"""What a task may learn from: the targets of the training split."""

from typing import Any

from torch import Tensor


def training_targets(data: Any) -> Tensor | None:
    """The targets of the training split, (N, ...); None of a data module that does not tell them."""
    targets = getattr(getattr(data, "splits", {}).get("train"), "labels", None)
    return targets if isinstance(targets, Tensor) else None
