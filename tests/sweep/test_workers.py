"""Processes of a sweep that die, wait for each other, or have their trials stopped by somebody else."""

import csv
import os
import signal
import time
from pathlib import Path

import processes
import pytest
from processes import Process

from trainyard.durability.run_lock import read_status
from trainyard.errors import UserError
from trainyard.sweep.slots import slot_environments

SEARCH = [
    "-m", "hardware=cpu", "hardware.threads=1", "data=xor", "model=held", "trainer.max_epochs=20", "sweep=search",
    "hydra.sweeper.study=s", "hydra.sweeper.plots=false",
]  # fmt: skip
HELD = """import os
import time
from pathlib import Path

from torch import nn


class Held(nn.Linear):
    def __init__(self, width: int) -> None:
        super().__init__(2, 2)
        if width == 8:
            Path("held.pid").write_text(str(os.getpid()))
            time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where to start sweeps over a network whose trials with width 8 wait before they begin, and name their process."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "held.yaml").write_text("_target_: held.Held\nwidth: 4\n")
    (tmp_path / "held.py").write_text(HELD)
    return tmp_path


def held_trial(folder: Path) -> int:
    """The process of the trial that waits."""
    file, until = folder / "held.pid", time.monotonic() + 60
    while not file.exists() or not file.read_text():
        assert time.monotonic() < until, "no trial waits"
        time.sleep(0.05)
    pid = int(file.read_text())
    file.unlink()
    return pid


def table(folder: Path) -> dict[str, tuple[str, str]]:
    rows = csv.DictReader((folder / "outputs" / "sweeps" / "s" / "trials.csv").open())
    return {row["model.width"]: (row["state"], row["reason"]) for row in rows}


@pytest.mark.slow
def test_a_trial_whose_sweep_dies_with_it_is_failed_at_last_but_not_one_that_is_stopped(folder: Path) -> None:
    words = [*SEARCH, "hydra/sweeper/sampler=grid", "model.width=choice(4,8)"]
    for number in range(3):
        sweep = Process(processes.train, words, folder)
        trial = held_trial(folder)
        if number == 2:
            os.kill(trial, signal.SIGTERM)  # somebody else's: it is continued
            trial = held_trial(folder)
        sweep.kill()
        os.kill(trial, signal.SIGKILL)
        sweep.communicate()
    sweep = Process(processes.train, words, folder)
    out, errors = sweep.communicate()
    assert sweep.returncode == 0, errors
    reason = "the sweep or its machine died in 3 attempts without progress"
    assert f"failed: {reason}" in out
    state, said = table(folder)["8"]
    assert state == "fail" and said.startswith(reason)


@pytest.mark.slow
def test_a_worker_waits_for_the_trials_of_others_takes_them_over_and_refits(folder: Path) -> None:
    words = [*SEARCH, "model.width=4,8", "hydra/sweeper/sampler=grid", "hydra.sweeper.refit=1"]
    first = Process(processes.train, words, folder)
    trial = held_trial(folder)
    second = Process(processes.train, words, folder)
    for line in second.stdout:
        if "waiting for trials of other processes (" in line:
            break
    (folder / "held.py").write_text(HELD.replace("== 8", "== 9"))
    first.kill()
    os.kill(trial, signal.SIGKILL)
    _, errors = second.communicate()
    assert second.returncode == 0, errors
    assert table(folder) == {"4": ("complete", ""), "8": ("complete", "")}
    (best,) = (folder / "outputs" / "sweeps" / "s").glob("best-*-seed0")
    assert read_status(best)["state"] == "done"


@pytest.mark.parametrize(
    ("jobs", "devices", "gpus", "expected"),
    [
        (2, 1, "0,1", ["0", "1"]), (2, 2, "0,1,2,3", ["0,1", "2,3"]), (3, 2, "4,5,6,7", ["4,5", "6,7", "4,5"]),
        (2, 2, "0,1,2", ["0,1", "0,1"]), (1, 2, "0,1", [None]), (2, 1, "0", [None, None]),
    ],
)  # fmt: skip
def test_a_slot_has_as_many_gpus_as_a_trial_has_devices(
    jobs: int, devices: int, gpus: str, expected: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    assert [each.get("CUDA_VISIBLE_DEVICES") for each in slot_environments(jobs, [], devices)] == expected


def test_a_trial_that_needs_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError, match="hardware.devices=4, and this machine has 2 GPUs; use fewer"):
        slot_environments(2, [], devices=4)
