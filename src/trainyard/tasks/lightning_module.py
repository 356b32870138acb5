"""A LightningModule as it is: its own steps, logging and optimizers, in place of a task around a network."""

from typing import Any

from lightning import LightningModule
from torch import nn

from trainyard.tasks.base import Task


def lightning_module(net: nn.Module, **others: Any) -> LightningModule:
    """The module that the config names as its network; `others` are what it has of its own, and must be None.

    ValueError for what is no LightningModule, and for an optimizer or a schedule beside its own.
    """
    if not isinstance(net, LightningModule):
        if any(base.__module__.startswith("pytorch_lightning") for base in type(net).__mro__):
            raise ValueError(
                f"{type(net).__name__} derives from pytorch_lightning.LightningModule, which Trainyard's Trainer does "
                "not take: write `import lightning.pytorch as pl` in its file in place of `import pytorch_lightning`"
            )
        raise ValueError(
            f"{type(net).__name__} is no LightningModule: a network needs another task, as task=classification"
        )
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise ValueError(
            f"{type(net).__name__} makes its own optimizers (configure_optimizers); leave out {' and '.join(given)}: "
            "what it takes is model.KEY=..."
        )
    return net


def network_of(module: LightningModule) -> nn.Module:
    """The network that trains: a task's, or all of a LightningModule that is no task."""
    return module.net if isinstance(module, Task) else module
