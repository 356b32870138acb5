"""The driver: it starts the processes, hands signals on, ends with them, and says which one failed."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import processes
import pytest
from lightning import Callback
from ranks import run_ranks
from started import Start
from starts import Driver
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure
from variants import NET, end

from trainyard.distributed.driver import ProcessError, drive, in_order
from trainyard.durability.run_lock import read_status
from trainyard.durability.signals import Stopped
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.runs.run import Run

# torch's agent leaves the files open into which the output of the processes goes
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
WORDS = [*NET, "hardware=ddp", "hardware.devices=2", "hardware.accelerator=cpu", "hardware.threads=1", "logger=none",
         "callbacks.progress_bar=null", "trainer.log_every_n_steps=1", "trainer.max_epochs=2",
         "callbacks.resume.every_n_steps=1", "+callbacks.slow._target_=started.Slow"]  # fmt: skip


@pytest.fixture
def drives(tmp_path: Path) -> Callable[..., None]:
    """Run a program in two processes; it knows `rank`, `turn` (how often it was started before) and `folder`."""

    def run(program: str, max_restarts: int = 0) -> None:
        (tmp_path / "driver").mkdir()
        start = f"""
            import os, pathlib, signal, sys, time
            rank, folder = int(os.environ["RANK"]), pathlib.Path({str(tmp_path)!r})
            turn = len(list(folder.glob(f"{{rank}}-*")))
            (folder / f"{{rank}}-{{turn}}").touch()
            while len(list(folder.glob(f"?-{{turn}}"))) < 2:
                time.sleep(0.01)
        """
        file = tmp_path / "program.py"
        file.write_text(textwrap.dedent(start) + textwrap.dedent(program))
        drive([str(file)], tmp_path, 2, 1.0, max_restarts, tmp_path / "driver")

    return run


def test_a_process_that_was_killed_is_named(drives: Callable[..., None]) -> None:
    with pytest.raises(ProcessError, match=r"rank 1 was killed \(SIGKILL\), in most cases by the operating system"):
        drives("os.kill(os.getpid(), signal.SIGKILL) if rank == 1 else time.sleep(60)")


def test_a_process_that_failed_without_a_report_is_shown_with_its_last_words(drives: Callable[..., None]) -> None:
    with pytest.raises(ProcessError, match="rank 1 ended with code 3: no such library"):
        drives("rank == 1 and (print('a', 'no such library', sep='\\n', file=sys.stderr), sys.exit(3)); time.sleep(60)")


def test_all_are_started_again_when_one_was_killed(
    drives: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drives("(turn < 2 and rank == turn) and os.kill(os.getpid(), signal.SIGKILL); time.sleep(0.1)", max_restarts=2)
    assert {file.name for file in tmp_path.glob("?-?")} == {"0-0", "0-1", "0-2", "1-0", "1-1", "1-2"}
    first, second = (record.getMessage() for record in caplog.records if record.name.startswith("trainyard"))
    assert "rank 0 was killed" in first and "(1 of 2)" in first
    assert "rank 1 was killed" in second and "(2 of 2)" in second


def test_the_restarts_are_limited(drives: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="rank 0 was killed"):
        drives("rank == 0 and os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)", max_restarts=1)
    assert len(list(tmp_path.glob("0-?"))) == 2


def test_a_mistake_of_the_user_is_told_once_and_not_tried_again(drives: Callable[..., None], tmp_path: Path) -> None:
    program = """
        from trainyard.distributed.failures import report_failure
        from trainyard.errors import LostProcessError, UserError
        if rank == 1:
            report_failure(UserError("a broken image"), rank, folder)
            sys.exit(1)
        time.sleep(1)
        report_failure(LostProcessError("rank 1 has gone"), rank, folder)
        sys.exit(1)
    """
    with pytest.raises(ProcessError, match="^rank 1: a broken image$"):
        drives(program, max_restarts=3)
    assert len(list(tmp_path.glob("0-?"))) == 1


@pytest.mark.parametrize("moment", ["before they listen", "while they work"])
def test_a_signal_reaches_all(moment: str, drives: Callable[..., None], tmp_path: Path) -> None:
    program = f"""
        from trainyard.distributed.forwarding import announce_process
        from trainyard.durability.signals import exit_on_signal
        {"time.sleep(1)" if moment == "before they listen" else ""}
        with exit_on_signal():
            announce_process(folder / "driver")
            (folder / f"listens-{{rank}}").touch()
            time.sleep(60)
    """
    awaited = "?-0" if moment == "before they listen" else "listens-?"

    def stop() -> None:
        while len(list(tmp_path.glob(awaited))) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(Stopped) as caught:
        drives(program)
    assert caught.value.code == 75


def test_a_resume_point_that_a_signal_asked_for_and_that_cannot_be_written_is_told(
    drives: Callable[..., None], tmp_path: Path
) -> None:
    program = """
        from trainyard.distributed.failures import report_failure
        from trainyard.errors import UserError
        signal.signal(signal.SIGTERM, lambda *_: None)
        (folder / "driver" / "pids" / str(os.getpid())).touch()
        while not (folder / "driver" / "stop").exists():
            time.sleep(0.01)
        report_failure(UserError("it cannot be written: No space left on device"), rank, folder)
        sys.exit(1)
    """

    def stop() -> None:
        while len(list((tmp_path / "driver").glob("pids/*"))) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(ProcessError, match="No space left on device"):
        drives(program)


@pytest.mark.slow
def test_the_traceback_of_a_process_is_shown_if_asked_for(tmp_path: Path) -> None:
    words = [*WORDS, "model.activation=foo", f"run.dir={tmp_path}/run", "debug=true"]
    ended = processes.run(processes.train, *words, folder=tmp_path)
    assert ended.returncode == 1 and "in build\n" in ended.stderr and "activation=foo is unknown" in ended.stderr


def test_the_process_that_was_killed_is_the_first_of_those_that_failed_with_it() -> None:
    """The other one has lost it, and may be found in the same turn."""
    codes = {0: 1, 1: -signal.SIGKILL, 2: -signal.SIGTERM}
    failures = {rank: ProcessFailure(rank, 0, code, "") for rank, code in codes.items()}
    assert next(iter(in_order(failures))) == 1
    failures[1].timestamp += 30  # torch's agent has ended it, since it did not end by itself
    assert list(in_order(failures)) == [0, 2, 1]


def test_a_process_obeys_a_signal_before_it_has_imported_torch(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    (tmp_path / "stop").write_text(str(int(signal.SIGTERM)))
    words = [
        "-X",
        "importtime",
        "-m",
        "trainyard.training.worker",
        str(tmp_path / "job.yaml"),
        str(os.getpid()),
        "train.py",
    ]
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 75 and "SIGTERM: stopping" in ended.stderr
    assert "trainyard.durability.signals" in ended.stderr and "torch" not in ended.stderr


class Killed(Callback):
    """Kills one process after 8 steps, and the other one after 13."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        attempt = read_status(Path(trainer.default_root_dir))["attempt"]
        if trainer.global_step == 5 * attempt + 3 and trainer.global_rank == 2 - attempt:
            os.kill(os.getpid(), signal.SIGKILL)


def until(condition: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


def judged(start: Start, code: int, seconds: float = 60) -> str:
    """What a run printed, which has ended with that code and left no process."""
    has_ended = start.wait(seconds)
    orphans = start.kill_orphans()
    assert has_ended and not orphans
    assert start.codes() == [code], start.texts()
    return start.texts()


@pytest.mark.slow
def test_a_run_whose_processes_were_killed_twice_starts_again_and_is_the_same_to_the_bit(tmp_path: Path) -> None:
    killed = "+callbacks.killed._target_=test_driver.Killed"
    text = judged(Driver([*WORDS, killed, f"run.dir={tmp_path}/run", "hardware.max_restarts=2"], tmp_path), 0, 180)
    assert text.count("starting all processes again") == 2 and text.count("resumed from resume-") == 2
    ended = run_ranks([*WORDS, f"run.dir={tmp_path}/whole"], tmp_path)
    assert [process.returncode for process in ended] == [0, 0]
    (state, rows), (expected, lines) = (end(Run(tmp_path / name)) for name in ("run", "whole"))
    assert rows == lines and state == expected


@pytest.mark.slow
def test_no_process_survives_the_driver(tmp_path: Path) -> None:
    start = Driver([*WORDS, "data.num_workers=1", f"run.dir={tmp_path}/run"], tmp_path)
    until(lambda: read_metrics(tmp_path / "run"))
    assert len(start.alive()) == 3 + 2  # the data workers
    start.processes[0].kill()
    judged(start, -9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "state"), [(signal.SIGUSR1, 75, "preempted"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_to_the_driver_leaves_a_resume_point(number: int, code: int, state: str, tmp_path: Path) -> None:
    path = tmp_path / "run"
    start = Driver([*WORDS, f"run.dir={path}"], tmp_path)
    until(lambda: read_metrics(path))
    os.killpg(start.pid, number) if number == signal.SIGINT else os.kill(start.pid, number)
    text = judged(start, code)
    assert "error" not in text and text.count("continue with: trainyard train resume=") == 1
    assert read_status(path)["state"] == state and list((path / "checkpoints").glob("resume-*.ckpt"))


@pytest.mark.slow
def test_a_process_that_hangs_before_the_others_meet_it_is_named(tmp_path: Path) -> None:
    start = Driver([*WORDS, f"run.dir={tmp_path}/run", "hardware.timeout=5"], tmp_path)
    until(lambda: 1 in start.ranks())
    os.kill(start.ranks()[1], signal.SIGSTOP)
    text = judged(start, 1)
    assert text.count("error:") == 1 and "rank 1 did not" in text and not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_network_of_ones_own_is_found_where_the_command_finds_it(tmp_path: Path) -> None:
    """Beside the folder of --config-dir; and modules where the command was given take no one's place."""
    (tmp_path / "mine" / "conf" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "own_net.py").write_text("from torch import nn\n\n\nclass Own(nn.Linear):\n    pass\n")
    yaml = "_target_: own_net.Own\nin_features: 2\nout_features: 2\n"
    (tmp_path / "mine" / "conf" / "model" / "own.yaml").write_text(yaml)
    (tmp_path / "torchmetrics.py").write_text("raise RuntimeError('not mine')\n")
    words = ["train", "--config-dir", "mine/conf", "model=own", "data=xor", "data.batch_size=4", "hardware=cpu",
             "hardware.devices=2", "trainer.max_epochs=1", "run.dir=run"]  # fmt: skip
    ended = processes.run(processes.trainyard, *words, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run" / "summary.json").is_file()
