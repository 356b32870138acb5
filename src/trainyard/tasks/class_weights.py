"""Weights of classes in the loss of a classification: given, or from how often each class occurs in training."""

from collections.abc import Sequence

import torch
from torch import Tensor


def first_weights(given: Sequence[float] | str, num_classes: int) -> Tensor:
    """The weights that are given; ones where they are `balanced`, until the data is known. ValueError for others."""
    if given == "balanced":
        return torch.ones(num_classes)
    is_list = not isinstance(given, str)
    if not is_list or len(given) != num_classes or any(not weight >= 0 for weight in given) or not sum(given):
        raise ValueError(
            f"task.class_weights={list(given) if is_list else given} must be balanced, or a list of {num_classes} "
            "numbers of at least 0, one for each class"
        )
    return torch.tensor([float(weight) for weight in given])


def balanced(labels: Tensor, num_classes: int) -> Tensor:  # (N) -> (num_classes)
    """Samples / (classes x samples of the class); ValueError for a class without a sample."""
    counts = labels.bincount(minlength=num_classes)
    if not counts.all():
        raise ValueError(
            f"task.class_weights=balanced: class {int(counts.argmin())} has no sample in the training split; give a "
            "list of numbers"
        )
    return len(labels) / (num_classes * counts.double())
