"""Signals, locks and states, with real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import processes
import pytest
import torch
from interrupt import CutError
from lightning import Callback
from processes import Process

import trainyard
from trainyard.durability.run_lock import STATUS, RunLock, is_locked, read_status
from trainyard.durability.signals import PREEMPTED, Stopped, StopSignal, exit_on_signal
from trainyard.errors import UserError

WORDS = ["data=shapes", "data.size=300", "data.test_size=100", "data.batch_size=10", "model=mlp", "model.widths=[8]",
         "model.dropout=0.5", "hardware=cpu", "hardware.threads=1", "trainer.log_every_n_steps=1"]  # fmt: skip


def started(folder: Path, *words: str, at: str = "epoch 1") -> Process:
    """A training in a process of its own, which has printed `at`: it is in its second epoch or later."""
    process = Process(processes.train, [*WORDS, *words, "run.dir=here"], folder)
    while at not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    return process


LONG = ["trainer.max_epochs=12", "callbacks.resume.every_n_steps=7"]  # long enough to be met by a signal


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> trainyard.Run:
    """The training that no signal met."""
    return trainyard.train([*WORDS, *LONG, f"run.dir={tmp_path_factory.mktemp('whole')}"])


@pytest.mark.parametrize(
    ("number", "code", "state", "workers"),
    [
        (signal.SIGTERM, 75, "preempted", 2),
        pytest.param(signal.SIGUSR1, 75, "preempted", 0, marks=pytest.mark.slow),
        (signal.SIGINT, 130, "interrupted", 0),
        (signal.SIGKILL, -9, "running", 0),
    ],
)
def test_a_signal_ends_a_run_that_continues_to_the_bit(
    number: int, code: int, state: str, workers: int, tmp_path: Path, whole: trainyard.Run
) -> None:
    process = started(tmp_path, *LONG, f"data.num_workers={workers}")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    here = tmp_path / "here"
    assert read_status(here)["state"] == state and not (here / "summary.json").exists()
    again = trainyard.train([f"resume={here}"])
    a, b = (run.task("last").state_dict() for run in (whole, again))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert (read_status(here)["state"], read_status(here)["attempt"]) == ("done", 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_before_the_training_starts_asks_for_a_restart_as_well(number: int, tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=100000", at="hardware: ")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75 and "Traceback" not in errors


@pytest.mark.parametrize(("word", "code"), [("--version", 0), ("--nothing", 1)])
def test_a_signal_to_a_command_that_has_done_its_work_does_not_change_its_exit_code(word: str, code: int) -> None:
    program = "import atexit; from trainyard import main; atexit.register(input, 'ending'); main()"
    command, pipe = [sys.executable, "-c", program, word], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        if code == 0:
            process.stdout.readline()
        assert process.stdout.read(len("ending")) == "ending"
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
            process.send_signal(number)
        process.communicate("\n")
    assert process.returncode == code


def test_a_busy_directory_names_its_process(tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=100000")
    try:
        with pytest.raises(UserError, match=f"here is in use by process {process.pid} on "):
            trainyard.train([f"resume={tmp_path}/here"])
    finally:
        process.kill()
        process.communicate()


def probe(words: list[str]) -> None:
    """Ask again and again whether a directory is in use, until it contains the file `stop`."""
    folder = Path(words[0])
    (folder / "started").touch()
    while not (folder / "stop").exists():
        is_locked(folder)


def test_asking_whether_a_directory_is_in_use_does_not_keep_others_out(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        pass
    process = Process(probe, [str(tmp_path)], tmp_path)
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    try:
        for _ in range(1000):
            with RunLock(tmp_path):
                pass
    finally:
        (tmp_path / "stop").touch()
        process.communicate()


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """In the midst of a batch that takes a minute: only the second one ends the process before that is over."""
    process = started(
        tmp_path, "trainer.max_epochs=2", f"+callbacks.slow={{_target_: {__name__}.SlowBatch}}", at="slow"
    )
    process.send_signal(signal.SIGINT)
    assert "SIGINT: writing a resume point after this batch" in _next_line(process)
    assert process.returncode is None
    started_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors
    assert time.monotonic() - started_at < 10
    assert not list((tmp_path / "here" / "checkpoints").glob("resume-*"))


class SlowBatch(Callback):
    """Hold the fifth batch up for a minute."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if batch_idx == 5:
            print("slow", flush=True)
            until = time.monotonic() + 60
            while time.monotonic() < until:
                time.sleep(0.1)


def _next_line(process: Process) -> str:
    while not (line := process.stderr.readline()).strip():
        assert line, "it has ended"
    return line


def test_a_crash_is_one_screen_with_its_traceback_in_a_file(tmp_path: Path) -> None:
    cut = "+callbacks.interrupt={_target_: interrupt.Interrupt, after: 3}"
    with pytest.raises(CutError) as caught:
        trainyard.train([*WORDS, "trainer.max_epochs=2", f"run.dir={tmp_path}/here", cut])
    notes = "\n".join(caught.value.__notes__)
    assert f"traceback: {tmp_path}/here/crash.txt" in notes
    assert f"continue with: trainyard train resume={tmp_path}/here" in notes
    assert "raise CutError" in (tmp_path / "here" / "crash.txt").read_text()
    assert json.loads((tmp_path / "here" / STATUS).read_text())["state"] == "failed"


def broken_output(words: list[str]) -> None:
    """Train with an output that cannot be written to: a pipe that nobody reads, a full disk, or none at all."""
    kind, *words = words
    if kind == "closed":
        os.close(1)
    elif kind == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    else:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
    if kind == "none":
        sys.stdout = None  # as Python has it after >&-
    processes.train(words)


@pytest.mark.parametrize("kind", ["pipe", "full", "closed", "none"])
def test_output_that_nobody_can_read_does_not_cost_the_run(kind: str, tmp_path: Path) -> None:
    words = [*WORDS, "trainer.max_epochs=2", "run.dir=here"]
    done = processes.run(broken_output, kind, *words, folder=tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert read_status(tmp_path / "here")["state"] == "done"
    assert "epoch 2/2" in (tmp_path / "here" / "run.log").read_text()


def ascii_output(words: list[str]) -> None:
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="ascii")
    processes.train(words)


def test_a_letter_that_the_terminal_does_not_know_silences_nothing(tmp_path: Path) -> None:
    done = processes.run(ascii_output, *WORDS, "trainer.max_epochs=2", "run.dir='été'", folder=tmp_path)
    assert r"run: \xe9t\xe9" in done.stdout and "epoch 2/2" in done.stdout, done


class Signals(Callback):
    """Send signals to this process: in the first validation batch of all, after the last one, or in the test."""

    def __init__(self, when: str, number: int, count: int = 1) -> None:
        self.when, self.number, self.count = when, number, count

    def send(self, when: str) -> None:
        if when == self.when:
            for _ in range(self.count):
                os.kill(os.getpid(), self.number)

    def on_train_end(self, trainer, pl_module) -> None:
        self.send("at the end")

    def on_test_batch_start(self, trainer, pl_module, *_) -> None:
        self.send("in the test")

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        self.send("in a batch")

    def on_exception(self, trainer, pl_module, exception) -> None:
        if self.count > 1:
            os.kill(os.getpid(), self.number)  # one more while the run ends


@pytest.mark.parametrize(
    ("when", "number", "count", "code", "state"),
    [
        ("at the end", signal.SIGTERM, 1, 75, "preempted"),
        ("in the test", signal.SIGTERM, 1, 75, "preempted"),
        ("in the test", signal.SIGINT, 1, 130, "interrupted"),
        ("in a batch", signal.SIGTERM, 3, 75, "preempted"),
        ("in a batch", signal.SIGHUP, 1, 75, "preempted"),
    ],
)
def test_a_signal_at_any_time_is_obeyed_once(
    when: str, number: int, count: int, code: int, state: str, tmp_path: Path
) -> None:
    values = f"{{_target_: test_signals.Signals, when: {when}, number: {int(number)}, count: {count}}}"
    words = [*WORDS, "trainer.max_epochs=2", f"run.dir={tmp_path}/here", f"+callbacks.signals={values}"]
    done = processes.run(processes.train, *words, folder=Path(__file__).parent)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and read_status(tmp_path / "here")["state"] == state
    assert "test/accuracy" not in (tmp_path / "here" / "metrics.jsonl").read_text()
    assert "continue with: trainyard train resume=" in done.stdout


def test_a_closed_terminal_ends_no_run_that_was_told_to_ignore_it(tmp_path: Path) -> None:
    """As nohup tells it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        values = f"{{_target_: test_signals.Signals, when: in a batch, number: {int(signal.SIGHUP)}}}"
        run = trainyard.train([*WORDS, "trainer.max_epochs=2", f"run.dir={tmp_path}", f"+callbacks.signals={values}"])
        assert run.summary["epochs"] == 2
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_whose_exception_is_lost_ends_the_process_still() -> None:
    """As Hydra's composition loses it now and then, or makes another one of it."""
    with pytest.raises(Stopped) as caught, exit_on_signal():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped:
            raise ValueError from None
    assert caught.value.code == PREEMPTED
    with exit_on_signal():
        with suppress(Stopped):
            signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(Stopped), exit_on_signal():
            raise AssertionError("the signal came before")


class Unheard:
    """An object whose finalizer is interrupted by a signal: Python ignores exceptions there, but for a message."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGUSR1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_next_signal_is_obeyed_where_the_exception_of_the_first_is_lost() -> None:
    with pytest.raises(Stopped) as caught, exit_on_signal():
        Unheard()
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the second signal was ignored")
    assert caught.value.code == PREEMPTED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_training_heeds_a_signal_whose_exception_is_lost() -> None:
    with exit_on_signal():
        Unheard()
        with StopSignal() as stop:
            assert stop.received is not None and stop.error().code == PREEMPTED
    with exit_on_signal(), StopSignal() as stop:  # the next command in this process
        assert stop.received is None


def test_signals_that_come_while_a_process_stops_do_not_disturb_it() -> None:
    cleaned = []
    with pytest.raises(Stopped), exit_on_signal():
        try:
            try:
                signal.raise_signal(signal.SIGTERM)
            except Stopped:
                signal.raise_signal(signal.SIGTERM)
                raise ValueError from None
        finally:
            signal.raise_signal(signal.SIGUSR1)
            cleaned.append(True)
    assert cleaned


def test_a_process_that_handles_an_earlier_stop_obeys_signals() -> None:
    """As one that trains again where the first training was stopped."""
    obeyed = []

    def stop_again() -> None:
        with exit_on_signal():
            signal.raise_signal(signal.SIGTERM)

    try:
        stop_again()
    except Stopped:
        with pytest.raises(Stopped):
            stop_again()
        obeyed.append(True)
    assert obeyed


@pytest.mark.parametrize(("seconds", "printed"), [(60.0, "imported\ncleaned\n"), (0.2, "")])
def test_a_signal_waits_for_the_end_of_an_import_for_some_time(seconds: float, printed: str, tmp_path: Path) -> None:
    """An exception there would be lost in a callback of Python's, or abort the process in C++ that is being loaded."""
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1)\nprint('imported')\n")
    program = f"""
import time
from trainyard.durability import signals
signals.IMPORT = {seconds}
with signals.exit_on_signal():
    try:
        print(1, flush=True)
        import slow
        time.sleep(60)
    finally:
        print("cleaned")
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout and process.stdout.readline() == "1\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGUSR1)
        found, _ = process.communicate()
    assert process.returncode == PREEMPTED and found == printed
