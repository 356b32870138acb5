"""Weights alone, in a file without code (safetensors), for a network that is built elsewhere."""

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from trainyard.extras import import_extra
from trainyard.tasks.base import Task


def write(task: Task, file: Path, metadata: Mapping[str, str]) -> None:
    """Write the network's weights by their names in it."""
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in task.net.state_dict().items()}
    import_extra("safetensors.torch", "export").save_file(weights, str(file), dict(metadata))


def load(task: Task, file: Path) -> Task:
    """A copy of the task whose network has the weights of the file, and none but those."""
    weights: dict[str, Tensor] = import_extra("safetensors.torch", "export").load_file(str(file))
    other = copy.deepcopy(task).cpu()
    with torch.no_grad():
        for value in (*other.net.parameters(), *other.net.buffers()):
            value.zero_()
    kept = dict(task.net.named_buffers())  # those that no checkpoint contains
    other.net.load_state_dict(weights)
    for name, value in other.net.named_buffers():
        if name not in weights:
            value.copy_(kept[name])
    return other
