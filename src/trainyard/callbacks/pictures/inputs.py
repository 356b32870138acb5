"""Validation samples as the network gets them, read beside the loaders."""

from typing import Any

import torch
from torch import Tensor

from trainyard.callbacks.pictures.scene import Scene
from trainyard.data.base import DataModule
from trainyard.tasks.base import weight_dtype


def spread(data: Any, most: int) -> Tensor | None:
    """Indices of up to `most` validation samples at equal distances; None of a data module that is not Trainyard's."""
    if not isinstance(data, DataModule) or "val" not in data.splits:
        return None
    size = len(data.splits["val"])
    return torch.linspace(0, size - 1, min(most, size)).round().long()


def network_inputs(scene: Scene, index: Tensor) -> Tensor:
    """The inputs of validation samples, transformed and on the network's device."""
    samples, dtype = scene.data.splits["val"], weight_dtype(scene.net)
    found = scene.data.transform(samples.inputs[samples.rows[index]].to(scene.task.device), None)
    found = found[:, : scene.data.max_length] if hasattr(scene.data, "max_length") else found
    return found.to(dtype) if found.is_floating_point() else found
