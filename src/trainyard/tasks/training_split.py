"""What a task may learn from: the training split, its targets and its inputs."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

AT_ONCE = 100  # samples


def training_targets(data: Any) -> Tensor | None:
    """The targets of the training split, (N, ...); None of a data module that does not tell them."""
    targets = getattr(getattr(data, "splits", {}).get("train"), "labels", None)
    return targets if isinstance(targets, Tensor) else None


def training_inputs(data: Any, most: int) -> Iterator[Tensor] | None:
    """Inputs of up to `most` training samples, spread over the split, in batches as the network gets them, unaugmented.

    None of a data module that does not tell them.
    """
    samples: Any = getattr(data, "splits", {}).get("train")
    if not hasattr(samples, "rows") or not len(samples):
        return None
    chosen = torch.linspace(0, len(samples) - 1, min(most, len(samples))).long()
    return (data.transform(samples.inputs[samples.rows[part]], None) for part in chosen.split(AT_ONCE))
