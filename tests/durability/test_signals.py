"""Signals, locks and states, with real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from interrupt import CutError

import trainyard
from trainyard.durability.run_lock import STATUS, read_status
from trainyard.errors import UserError

WORDS = ["data=shapes", "data.size=300", "data.test_size=100", "data.batch_size=10", "model=mlp", "model.widths=[8]",
         "model.dropout=0.5", "hardware=cpu", "hardware.threads=1", "trainer.log_every_n_steps=1"]  # fmt: skip


def started(folder: Path, *words: str, at: str = "epoch 1") -> subprocess.Popen:
    """A training in a process of its own, which has said `at`: it is in its second epoch or later."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *WORDS, *words, "run.dir=here"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while at not in (line := process.stdout.readline()):  # pyright: ignore
        assert line or process.poll() is None, process.stderr.read()  # pyright: ignore
    return process


@pytest.mark.parametrize(
    ("number", "code", "state", "workers"),
    [(signal.SIGTERM, 75, "preempted", 2), (signal.SIGUSR1, 75, "preempted", 0), (signal.SIGINT, 130, "interrupted", 0),
     (signal.SIGKILL, -9, "running", 0)],
)  # fmt: skip
def test_a_signal_ends_a_run_that_goes_on_to_the_bit(
    number: int, code: int, state: str, workers: int, tmp_path: Path
) -> None:
    every = "callbacks.resume.every_n_steps=7"
    process = started(tmp_path, "trainer.max_epochs=25", every, f"data.num_workers={workers}")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    here = tmp_path / "here"
    assert read_status(here)["state"] == state and not (here / "summary.json").exists()
    again = trainyard.train([f"resume={here}"])
    whole = trainyard.train([*WORDS, "trainer.max_epochs=25", every, f"run.dir={tmp_path}/whole"])
    a, b = (run.task("last").state_dict() for run in (whole, again))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert (read_status(here)["state"], read_status(here)["attempt"]) == ("done", 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_before_the_training_begins_says_again_as_well(number: int, tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=100000", at="hardware: ")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75 and "Traceback" not in errors


def test_a_busy_directory_names_its_process(tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=100000")
    try:
        with pytest.raises(UserError, match=f"here is in use by process {process.pid} on "):
            trainyard.train([f"resume={tmp_path}/here"])
    finally:
        process.kill()
        process.communicate()


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=100000")
    process.send_signal(signal.SIGINT)
    time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors


def test_a_crash_is_one_screen_with_its_traceback_in_a_file(tmp_path: Path) -> None:
    cut = "+callbacks.interrupt={_target_: interrupt.Interrupt, after: 3}"
    with pytest.raises(CutError) as caught:
        trainyard.train([*WORDS, "trainer.max_epochs=2", f"run.dir={tmp_path}/here", cut])
    notes = "\n".join(caught.value.__notes__)
    assert f"traceback: {tmp_path}/here/crash.txt" in notes
    assert f"continue with: python train.py resume={tmp_path}/here" in notes
    assert "raise CutError" in (tmp_path / "here" / "crash.txt").read_text()
    assert json.loads((tmp_path / "here" / STATUS).read_text())["state"] == "failed"
