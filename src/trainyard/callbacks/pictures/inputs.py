"""Validation samples as the network gets them, read beside the loaders."""

from typing import Any

import torch
from torch import Tensor

from trainyard.callbacks.pictures.scene import Scene
from trainyard.data.base import DataModule
from trainyard.inference.predict import network_inputs


def spread(data: Any, most: int) -> Tensor | None:
    """Indices of up to `most` validation samples at equal distances; None of a data module that is not Trainyard's."""
    if not isinstance(data, DataModule) or "val" not in data.splits:
        return None
    size = len(data.splits["val"])
    return torch.linspace(0, size - 1, min(most, size)).round().long()


def val_inputs(scene: Scene, index: Tensor) -> Tensor:
    """The inputs of validation samples, transformed and on the network's device."""
    samples = scene.data.splits["val"]
    found = network_inputs(scene.net, scene.data, samples.inputs[samples.rows[index]], scene.task.device)
    return found[:, : scene.data.max_length] if hasattr(scene.data, "max_length") else found
