"""Each process keeps a part of every weight, gradient and optimizer state: FSDP2 (Zhao et al., 2023)."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy, ParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor, zeros
from torch.optim import Optimizer
from torch.utils._pytree import tree_map

from trainyard.collectives import rank
from trainyard.durability.point_files import is_resume_point
from trainyard.durability.sharded_points import write_shards
from trainyard.models.layers.checkpointing import blocks
from trainyard.trust.checkpoint_files import load_checkpoint
from trainyard.trust.shards import read_shards


def shard(net: nn.Module, mesh: DeviceMesh) -> None:
    """Shard each block of a network by itself, and what is outside of them as one more.

    The weights of one alone are whole at a time, while it computes.
    """
    if isinstance(net, FSDPModule):
        return
    for block in blocks(net):
        fully_shard(block, mesh=mesh)
    fully_shard(net, mesh=mesh)


class Sharded(ModelParallelStrategy):
    """Lightning's strategy for DTensors, which shards the network of the task, and not its meters.

    It uses the process group that is there (Lightning would make two others, with another timeout). Resume points are
    written in parts, by all processes, if `in_parts`; all other checkpoints as one file, as that of a single process.
    """

    def __init__(self, world_size: int, timeout: timedelta, in_parts: bool = True) -> None:
        super().__init__(world_size, tensor_parallel_size=1, save_distributed_checkpoint=in_parts, timeout=timeout)
        self.in_parts = in_parts
        self.mesh: DeviceMesh | None = None
        self.shape = (world_size,)

    @property
    def device_mesh(self) -> DeviceMesh:
        """The processes, in one row."""
        if self.mesh is None:
            self.mesh = init_device_mesh(self.root_device.type, self.shape, mesh_dim_names=("data_parallel",))
        return self.mesh

    @property
    def lightning_restore_optimizer(self) -> bool:
        return True

    @property
    def net(self) -> FSDPModule:
        """The network, sharded."""
        return self.lightning_module.net  # pyright: ignore

    def setup_environment(self) -> None:
        ParallelStrategy.setup_environment(self)
        self.set_world_ranks()

    def setup(self, trainer: Trainer) -> None:
        assert self.accelerator is not None and self.model is not None
        self.accelerator.setup(trainer)
        self.model = self.precision_plugin.convert_module(self.model)
        shard(self.model.net, self.device_mesh)  # pyright: ignore
        self.model_to_device()
        if trainer.state.fn == "fit":
            self.setup_optimizers(trainer)
        self.setup_precision_plugin()

    def on_validation_end(self) -> None:
        self.net.reshard()  # a callback may change the weights now, and would change a copy

    def lightning_module_state_dict(self) -> dict[str, Any]:
        return ParallelStrategy.lightning_module_state_dict(self)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        return ParallelStrategy.optimizer_state(self, optimizer)

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: str | Path, storage_options: Any = None) -> None:
        if self.in_parts and is_resume_point(Path(filepath)):
            write_shards(checkpoint, Path(filepath), lambda value: isinstance(value, DTensor))
        else:
            ParallelStrategy.save_checkpoint(self, tree_map(whole, checkpoint), filepath, storage_options)

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        content = load_checkpoint(Path(checkpoint_path), whole=False)
        empty = partial(zeros, device_mesh=self.device_mesh, placements=[Shard(0)])
        return read_shards(Path(checkpoint_path), content, empty)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        own = self.lightning_module.state_dict()  # pyright: ignore
        parts = {name: part_of(value, own.get(name)) for name, value in checkpoint["state_dict"].items()}
        self.lightning_module.load_state_dict(parts, strict=strict)  # pyright: ignore

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            numbers = [number for group in saved["param_groups"] for number in group["params"]]
            like = dict(zip(numbers, parameters, strict=True))
            state = {
                number: {name: part_of(value, like[number]) for name, value in values.items()}
                for number, values in saved["state"].items()
            }
            optimizer.load_state_dict({**saved, "state": state})


def whole(value: Any) -> Any:
    """A sharded tensor as a whole in the host's memory of rank 0, empty in the other processes; all else as it is."""
    if not isinstance(value, DTensor):
        return value
    found = value.full_tensor()
    return found.cpu() if rank() == 0 else None


def part_of(value: Any, like: Any) -> Any:
    """This process's part of a whole tensor, where `like`, of the same shape, is sharded; all else as it is."""
    is_whole = isinstance(value, Tensor) and not isinstance(value, DTensor)
    if not is_whole or not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    value = value.to(like.device)
    return distribute_tensor(value, like.device_mesh, like.placements, src_data_rank=None)
