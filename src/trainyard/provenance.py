"""Where a run came from: code, packages, machine."""

import os
import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

from trainyard.hardware import cpu_name


def environment() -> dict[str, Any]:
    """Command, code, machine and the version of every installed package; plain values only."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "git_commit": git("rev-parse", "HEAD"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": gpus,
        "packages": dict(sorted((dist.name, dist.version) for dist in distributions() if dist.name)),
    }


def git(*words: str) -> str | None:
    """What git prints in the working directory, or None outside a checkout or without git."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
