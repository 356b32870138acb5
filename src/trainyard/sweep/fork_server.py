"""The server from which trials are forked: on Linux a process that has imported torch and Lightning, and no more.

A trial forked from it starts in hundredths of a second instead of the seconds that the imports take.
"""

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from typing import Any

RANK = (  # what Lightning takes its rank, and the number of processes, from
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE",
    "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID",
)  # fmt: skip
CAN_FORK = sys.platform == "linux"  # elsewhere forking is not safe


def context() -> Any:
    """The multiprocessing context of trials: forked from the server, or spawned where forking is not safe."""
    return multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")


def start_server() -> None:
    """Start the server, so that it imports while the sweep prepares its study.

    Each trial is a training of its own, whatever rank a scheduler gave to the sweep.
    """
    for name in RANK:
        os.environ.pop(name, None)
    if CAN_FORK:
        context().set_forkserver_preload(["trainyard.training.train"])
        forkserver.ensure_running()
