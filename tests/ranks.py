"""One training in several processes, which start as under torchrun: numbered by environment variables."""

import socket
import subprocess
from pathlib import Path

import processes


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_ranks(words: list[str], folder: Path, size: int = 2, **env: str) -> list[processes.Process]:
    """Start `python train.py WORDS` in each of `size` processes."""
    common = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1",
              "MASTER_PORT": str(free_port()), **env}  # fmt: skip
    return [processes.Process(processes.train, words, folder, RANK=str(rank), LOCAL_RANK=str(rank), **common)
            for rank in range(size)]  # fmt: skip


def run_ranks(words: list[str], folder: Path, size: int = 2, **env: str) -> list[subprocess.CompletedProcess]:
    """What became of each process."""
    started = start_ranks(words, folder, size, **env)
    ended = [process.communicate() for process in started]
    return [subprocess.CompletedProcess(words, process.returncode or 0, *texts)
            for process, texts in zip(started, ended, strict=True)]  # fmt: skip
