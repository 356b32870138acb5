"""What hardware=fsdp cannot divide between processes, refused before anything is started or written."""

from collections.abc import Mapping

import torch
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from omegaconf import DictConfig
from torch.nn.modules.batchnorm import _BatchNorm

from trainyard.callbacks.lookahead import Lookahead
from trainyard.config.instantiate import instantiate_task, target_of
from trainyard.errors import UserError
from trainyard.models.layers.checkpointing import blocks
from trainyard.optim.signature import has_modes, splits_hidden

PRECISIONS = ("32-true", "bf16-mixed", "bf16-true", "16-true")  # that Lightning's ModelParallelStrategy takes


def check_sharding(cfg: DictConfig, choices: Mapping[str, str]) -> None:
    """Raise UserError for a config with hardware=fsdp whose network, callbacks or switches do not fit sharded weights.

    The network is built without memory for its weights.
    """
    check_switches(cfg.hardware)
    for name, node in (cfg.get("callbacks") or {}).items():
        kind = target_of(node) if node else None
        if isinstance(kind, type) and issubclass(kind, WeightAveraging | StochasticWeightAveraging | Lookahead):
            raise UserError(
                f"hardware=fsdp: callbacks.{name} ({kind.__name__}) averages whole weights, of which each process has "
                f"a part; leave it out (callbacks.{name}=null), or use hardware=ddp"
            )
    if cfg.get("optimizer") is None:
        raise UserError("hardware=fsdp divides the network of a task, and a LightningModule is none; use hardware=ddp")
    optimizer = target_of(cfg.optimizer)
    if splits_hidden(optimizer) or has_modes(optimizer):
        raise UserError(
            f"hardware=fsdp: {optimizer.__name__} needs whole weights, of which each process has a part; use "
            "hardware=ddp, or optimizer=adamw"
        )
    try:
        with torch.device("meta"):
            net = instantiate_task(cfg, choices).net
    except UserError:  # a network of one's own may need the values of its weights
        net = instantiate_task(cfg, choices).net
    if hasattr(net, "fill"):
        raise UserError(
            f"hardware=fsdp gathers weights where the network is called, and the generator of {type(net).__name__} is "
            "called by itself; use hardware=ddp"
        )
    if not blocks(net):
        raise UserError(
            f"hardware=fsdp divides the blocks of a network, and {type(net).__name__} has none (an attribute `blocks` "
            "names them); use hardware=ddp"
        )
    if not cfg.hardware.sync_batchnorm and any(isinstance(module, _BatchNorm) for module in net.modules()):
        raise UserError(
            f"hardware=fsdp: the batch norm of {type(net).__name__} would have other statistics in each process; set "
            "hardware.sync_batchnorm=true, or use hardware=ddp"
        )


def check_switches(hardware: DictConfig) -> None:
    """Raise UserError for a value of the hardware group that does not fit sharded weights."""
    if hardware.precision not in PRECISIONS:
        raise UserError(
            f"hardware=fsdp does not train with hardware.precision={hardware.precision}; use one of "
            f"{', '.join(PRECISIONS)}, or hardware=ddp"
        )
    for key, value in (("compile", "false"), ("memory_format", "contiguous")):
        if (there := str(hardware[key]).lower()) != value:
            raise UserError(
                f"hardware=fsdp does not train with hardware.{key}={there}; set it to {value}, or use hardware=ddp"
            )
    for key in ("comm_hook", "find_unused_parameters"):
        if hardware[key]:
            raise UserError(f"hardware.{key}={hardware[key]} is for hardware=ddp; leave it out with hardware=fsdp")
