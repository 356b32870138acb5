"""The server from which trials are forked: on Linux a process that has imported torch and Lightning, and no more.

A trial forked from it starts in hundredths of a second instead of the seconds that the imports take.
"""

import multiprocessing
import sys
from multiprocessing import forkserver
from typing import Any

CAN_FORK = sys.platform == "linux"  # elsewhere forking is not safe


def context() -> Any:
    """The multiprocessing context of trials: forked from the server, or spawned where forking is not safe."""
    return multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")


def start_server() -> None:
    """Start the server, so that it imports while the sweep prepares its study."""
    if CAN_FORK:
        context().set_forkserver_preload(["trainyard.training.train"])
        forkserver.ensure_running()
