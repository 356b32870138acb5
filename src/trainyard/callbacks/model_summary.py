"""The network's layers as a table."""

import logging

from lightning import Callback, LightningModule, Trainer
from rich.table import Table
from torch import nn

from trainyard.collectives import is_sharded
from trainyard.logs import render
from trainyard.tasks.lightning_module import network_of

log = logging.getLogger(__name__)


class ModelSummary(Callback):
    """Print the network's layers and their parameters when a training starts.

    On the console they are printed once for each architecture, of which a grid trains many networks.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        net = network_of(pl_module)
        if trainer.is_global_zero:
            again = f"{name_of(net)}: {count_parameters(net):,} parameters, layers as above"
            log.info(network_table(net), extra={"again": again})


def network_table(net: nn.Module) -> str:
    """The top layers of the network, each with its number of parameters, and the total."""
    table = Table(title=name_of(net), title_justify="left", title_style="bold", show_footer=True)
    table.add_column("layer", "total")
    table.add_column("type")
    table.add_column("parameters", f"{count_parameters(net):,}", justify="right")
    for name, child in net.named_children():
        parts = list(child.named_children()) if isinstance(child, nn.Sequential) else []
        for label, part in [(f"{name}.{k}", v) for k, v in parts] or [(name, child)]:
            count = count_parameters(part)
            table.add_row(label, name_of(part), f"{count:,}" if count else "")
    return render(table)


def name_of(net: nn.Module) -> str:
    """The network's class; that of a sharded one is a second class of another name."""
    return type(net).__name__.removeprefix("FSDP" if is_sharded(net) else "")


def count_parameters(module: nn.Module) -> int:
    """Trainable and frozen parameters."""
    return sum(p.numel() for p in module.parameters())
