"""The processes that load batches end with the process that has started them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

LOADS = """
import sys, time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from trainyard.data.loading.workers import start_worker

def slowly(worker):
    Path(sys.argv[1]).write_text("started")
    while not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    start_worker(worker)

for _ in DataLoader(torch.arange(1000), num_workers=1, worker_init_fn=slowly):
    pass
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the processes are listed by /proc")
def test_a_worker_that_starts_while_its_main_process_is_killed_ends(tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    main = subprocess.Popen([sys.executable, "-c", LOADS, str(started), str(go)], start_new_session=True)
    while not started.exists():
        assert main.poll() is None
        time.sleep(0.01)
    main.kill()
    main.wait()
    assert in_session(main.pid)
    go.touch()
    until = time.monotonic() + 30
    while (left := in_session(main.pid)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def in_session(leader: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and os.getsid(int(folder.name)) == leader:
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                found += [int(folder.name)] * (state != "Z")
    return found
