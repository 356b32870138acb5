"""How many processes train, one for each device: what the config asks for, and what there is."""

from typing import Any

import torch
from omegaconf import DictConfig

from trainyard.cores import available_cores
from trainyard.distributed.ranks import Ranks
from trainyard.errors import UserError, train_command

BOTH_CORES = 2  # processes of devices=auto on a CPU


def process_count(cfg: DictConfig) -> int:
    """The processes of a run, on all machines together."""
    return cfg.hardware.devices * cfg.hardware.num_nodes


def resolve_devices(cfg: DictConfig, accelerator: str, ranks: Ranks | None) -> dict[str, Any]:
    """What `auto` means for the devices of each machine; UserError for more than there are, or than were started."""
    devices, nodes = cfg.hardware.devices, cfg.hardware.num_nodes
    for key, value in (("devices", devices), ("num_nodes", nodes)):
        if value != "auto" and not (isinstance(value, int) and value >= 1):
            raise UserError(f"hardware.{key}={value} must be auto or an integer of at least 1")
    available, name = available_devices(accelerator)
    if ranks is not None:
        if accelerator == "gpu" and ranks.local_world_size > available:
            raise UserError(
                f"{ranks.starter} started {ranks.local_world_size} processes on each machine, and this one shows them "
                f"{name}; start one process for each, all of which see all (under srun without --gpus-per-task)"
            )
        return _started(devices, nodes, ranks)
    devices = (available if accelerator == "gpu" else min(BOTH_CORES, available)) if devices == "auto" else devices
    nodes = 1 if nodes == "auto" else nodes
    if devices > available and not cfg.check:
        raise UserError(
            f"hardware.devices={devices}, and this machine has {name}; ask for no more, or start processes on "
            "several machines with torchrun or srun"
        )
    if nodes > 1 and not cfg.check:
        raise UserError(
            f"hardware.num_nodes={nodes}: each machine needs a start of its own. On each of them: torchrun --nnodes "
            f"{nodes} --nproc-per-node {devices} --rdzv-backend c10d --rdzv-endpoint HOST:29500 --rdzv-id NAME "
            f"{train_command().removeprefix('python ')} ...; or, under Slurm, srun"
        )
    return {"hardware.devices": devices, "hardware.num_nodes": nodes}


def _started(devices: Any, nodes: Any, ranks: Ranks) -> dict[str, Any]:
    """The devices of processes that torchrun or srun has started."""
    there = {"devices": ranks.local_world_size, "num_nodes": ranks.num_nodes}
    for key, asked in (("devices", devices), ("num_nodes", nodes)):
        if asked not in (1, "auto", there[key]):  # 1 is what every hardware option has that says nothing
            unit = "processes on each machine" if key == "devices" else "machines"
            raise UserError(
                f"hardware.{key}={asked}, and {ranks.starter} started {there[key]} {unit}; start as many as the config "
                f"asks for, or leave hardware.{key} out"
            )
    return {f"hardware.{key}": value for key, value in there.items()}


def available_devices(accelerator: str) -> tuple[int, str]:
    """How many devices of a kind this machine has, for a process each; and the same in words."""
    if accelerator == "gpu":
        count = torch.cuda.device_count()
        return count, f"{count} GPU{'' if count == 1 else 's'}"
    if accelerator == "cpu":
        count = available_cores()
        return count, f"{count} core{'' if count == 1 else 's'}"
    return 1, "1 such device"
