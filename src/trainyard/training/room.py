"""Whether there is room for a batch: known before the training for networks that say what they take."""

from typing import Any

import torch
from torch import nn

from trainyard.errors import UserError
from trainyard.models.layers.memory import bytes_needed, gigabytes, host_memory
from trainyard.training.scale import shares


def check_room(net: nn.Module, batch_sizes: dict[str, int], hardware: Any, named: str) -> None:
    """Raise UserError if a batch takes more memory than its device has; `batch_sizes` by their keys.

    That of training comes first. The processes of a CPU share its memory; a GPU has its own.
    """
    place, there = device_memory(hardware.accelerator)
    processes = hardware.num_nodes * (1 if hardware.accelerator == "cpu" else hardware.devices)
    for i, (key, size) in enumerate(batch_sizes.items()):
        needed = bytes_needed(net, shares(size, processes)[1], training=i == 0)
        if there is not None and needed > there:
            raise UserError(
                f"{named} takes at least {gigabytes(needed)} for a batch of {key}={size}, and {place} has "
                f"{gigabytes(there)}; use a smaller batch or a smaller network"
            )


def device_memory(accelerator: str) -> tuple[str, int | None]:
    """The device in words, and its memory in bytes, None where it is not known."""
    if accelerator == "gpu":
        return "the GPU", torch.cuda.mem_get_info()[1]
    return "this machine", host_memory()
