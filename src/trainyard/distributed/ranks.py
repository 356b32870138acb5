"""Which of several processes this one is, by the environment variables of whoever started it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from trainyard.errors import UserError

STARTED_HERE = "TRAINYARD_STARTED_HERE"  # set by Trainyard's own driver for the processes that it starts


@dataclass(frozen=True)
class Ranks:
    """A process among those that train together; ranks count from 0."""

    rank: int
    world_size: int
    local_rank: int  # on this machine
    local_world_size: int
    address: str  # where rank 0 listens
    port: int
    starter: str  # torchrun or srun, or python where it was Trainyard itself
    job: str | None = None  # the starter's name of the job, which it keeps when it starts it again

    @property
    def num_nodes(self) -> int:
        """The machines."""
        return self.world_size // self.local_world_size

    @property
    def node(self) -> int:
        """The machine's number, from 0."""
        return self.rank // self.local_world_size


def find_ranks(environ: Mapping[str, str] = os.environ) -> Ranks | None:
    """The ranks that torchrun or srun gave to this process; None if it is the only one."""
    if "RANK" in environ and "MASTER_ADDR" in environ:
        return _of_torchrun(environ)
    if int(environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1:  # of srun; a batch script has SLURM_NTASKS without it
        return _of_slurm(environ)
    return None


def is_follower(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun or srun started this process as another one than the first, which tells what all do."""
    ranks = find_ranks(environ)
    return ranks is not None and ranks.rank > 0


def started_here(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether Trainyard's own driver started this process."""
    return STARTED_HERE in environ


def _of_torchrun(environ: Mapping[str, str]) -> Ranks | None:
    world_size = int(environ.get("WORLD_SIZE", 1))
    job = environ.get("TORCHELASTIC_RUN_ID", "none")
    return Ranks(
        rank=int(environ["RANK"]),
        world_size=world_size,
        local_rank=int(environ.get("LOCAL_RANK", 0)),
        local_world_size=int(environ.get("LOCAL_WORLD_SIZE", world_size)),
        address=environ["MASTER_ADDR"],
        port=int(environ.get("MASTER_PORT", 29500)),
        starter="python" if started_here(environ) else "torchrun",
        job=None if job == "none" else f"torchrun-{job}",
    ) if world_size > 1 else None  # fmt: skip


def _of_slurm(environ: Mapping[str, str]) -> Ranks:
    from lightning.fabric.plugins.environments import SLURMEnvironment  # deferred: it imports torch

    tasks, nodes = int(environ["SLURM_STEP_NUM_TASKS"]), int(environ.get("SLURM_STEP_NUM_NODES", 1))
    if tasks % nodes:
        raise UserError(
            f"srun started {tasks} processes on {nodes} machines; every machine needs as many: use --ntasks-per-node"
        )
    slurm = SLURMEnvironment(auto_requeue=False)
    return Ranks(
        rank=int(environ["SLURM_PROCID"]),
        world_size=tasks,
        local_rank=int(environ["SLURM_LOCALID"]),
        local_world_size=tasks // nodes,
        address=slurm.main_address,
        port=slurm.main_port,
        starter="srun",
        job=f"slurm-{environ['SLURM_JOB_ID']}.{environ.get('SLURM_STEP_ID', 0)}",
    )
