"""What a user reads when memory or a data worker is gone."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from test_signals import started
from torch.utils.data import DataLoader

import trainyard
from trainyard.data.loading.workers import print_unless_main_ended
from trainyard.durability.crash_report import write_crash_report
from trainyard.durability.signals import kill_data_workers
from trainyard.errors import causes
from trainyard.models.mlp import MLP


class Glutton(MLP):
    """A network that asks for a petabyte."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + torch.empty(2**50)


def test_lack_of_memory_names_the_fix_and_how_to_continue(tmp_path: Path) -> None:
    words = ["data=shapes", "data.size=200", "data.test_size=100", "hardware=cpu", "hardware.threads=1", "model=mlp"]
    with pytest.raises(RuntimeError) as caught:
        trainyard.train([*words, "model._target_=test_crash_report.Glutton", f"run.dir={tmp_path}/here"])
    notes = caught.value.__notes__
    assert notes[0].startswith("out of memory: halve data.batch_size and double trainer.accumulate_grad")
    assert f"continue with: trainyard train resume={tmp_path}/here" in notes
    assert "can't allocate memory" in (tmp_path / "here" / "crash.txt").read_text()


def test_a_workers_death_that_a_logger_wrapped_is_explained_as_well(tmp_path: Path) -> None:
    try:
        try:
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
        except RuntimeError as error:
            raise ValueError("you tried to log 0.1 which is currently not supported") from error
    except ValueError as error:
        write_crash_report(error, tmp_path)
        assert error.__notes__[0].startswith("a data worker was killed")


def test_a_worker_is_silent_when_the_main_process_has_ended_and_at_no_other_time(capsys) -> None:
    print_unless_main_ended(EOFError, EOFError(), None)
    print_unless_main_ended(ConnectionResetError, ConnectionResetError(), None)
    assert capsys.readouterr().err == ""
    print_unless_main_ended(ValueError, ValueError("mine"), None)
    assert "ValueError: mine" in capsys.readouterr().err


def test_workers_that_are_killed_at_the_end_of_a_training_raise_no_error() -> None:
    """(Not even a moment later, in whatever the process does then.)"""
    batches = iter(DataLoader(range(1000), num_workers=2, multiprocessing_context="fork"))  # pyright: ignore
    next(batches)
    handler = signal.getsignal(signal.SIGCHLD)
    kill_data_workers()
    time.sleep(0.2)
    assert not multiprocessing.active_children() and signal.getsignal(signal.SIGCHLD) is handler


def test_a_data_worker_that_dies_is_reported_with_the_usual_fix(tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=100000", "data.num_workers=2")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "Traceback" not in errors
    assert (
        "a data worker was killed, in most cases by the operating system for lack of memory: lower data.num_workers"
        in errors
    )
    assert "continue with: trainyard train resume=here" in errors


def test_an_error_that_is_its_own_cause_ends() -> None:
    """TensorBoard's writer raises again what Lightning raised because of it."""
    one, other = OSError("full"), RuntimeError("again")
    one.__context__, other.__context__ = other, one
    assert list(causes(one)) == [one, other]
