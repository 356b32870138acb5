"""Where a run came from: code, packages, machine."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import distributions
from typing import Any

import torch

from trainyard.machine import cpu_name


def environment() -> dict[str, Any]:
    """Command, code, machine and the version of every installed package, as plain values."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "command": [word.partition("=")[0] + "=..." if "storage=" in word else word for word in sys.argv],  # passwords
        "git_commit": git("rev-parse", "HEAD").decode().strip() or None,
        "git_status": git("status", "--porcelain").decode(errors="replace").splitlines(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": gpus,
        "packages": packages(),
    }


@cache
def packages() -> dict[str, str]:
    """The version of every installed package by name."""
    found = (dist.metadata for dist in distributions())  # parsed again at each access
    return dict(sorted((each["Name"], each["Version"]) for each in found if each["Name"]))


def git(*words: str) -> bytes:
    """What git prints in the working directory; empty outside a checkout and without git."""
    try:
        return subprocess.run(["git", *words], capture_output=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return b""
