"""What a task, or its network, may learn from before the first step: the training split."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

AT_ONCE = 100  # samples


def training_targets(data: Any) -> Tensor | None:
    """The targets of the training split, (N, ...); None of a data module that does not tell them."""
    targets = getattr(getattr(data, "splits", {}).get("train"), "labels", None)
    return targets if isinstance(targets, Tensor) else None


def training_samples(data: Any) -> Any:
    """The training split, of at least one sample; None of a data module that does not tell its samples."""
    samples: Any = getattr(data, "splits", {}).get("train")
    return samples if hasattr(samples, "rows") and len(samples) else None


def training_inputs(data: Any, most: int) -> Iterator[Tensor]:
    """Unaugmented inputs of up to `most` training samples, spread over the split, in batches as a network gets them."""
    samples = training_samples(data)
    chosen = torch.linspace(0, len(samples) - 1, min(most, len(samples))).long()
    return (data.transform(samples.inputs[samples.rows[part]], None) for part in chosen.split(AT_ONCE))


def teach(net: nn.Module, data: Any) -> None:
    """Show the training split to a network that has to `learn` from it before the first step, once.

    One with weights of another run has learned there. ValueError of a data module that does not tell its samples.
    """
    learn = getattr(net, "learn", None)
    if learn is None or net.has_learned:
        return
    samples = training_samples(data)
    if samples is None:
        raise ValueError(
            f"{type(net).__name__} learns from the training split before the first step, and {type(data).__name__} "
            "does not tell its samples; choose another model"
        )
    inputs, targets = samples.inputs, samples.all_labels
    learn((data.transform(inputs[rows], None), targets[rows]) for rows in samples.rows.split(AT_ONCE))
