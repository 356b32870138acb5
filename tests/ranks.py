"""One training in several processes, which start as under torchrun: numbered by environment variables."""

import os
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path

import processes

sys.path.append(str(Path(__file__).parent / "durability"))  # variants: what these tests train as well
PORTS = count(15000 + os.getpid() % 800 * 20)  # each process of the tests has its own, below those for connections


def free_port() -> int:
    """A port that nobody uses, now and until it is used."""
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError


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


def together(words: list[str], folder: Path, size: int = 2) -> list[subprocess.CompletedProcess]:
    """The processes, all of which must succeed."""
    ended = run_ranks(words, folder, size)
    assert [process.returncode for process in ended] == [0] * size, [process.stderr for process in ended]
    return ended
