"""Processes that somebody else has started: they meet, agree, and end together, whatever happens to one of them."""

import os
import signal
import socket
import time
from datetime import timedelta
from pathlib import Path

import processes
import pytest
import torch.distributed as dist
from lightning import Callback
from ranks import free_port, run_ranks, start_ranks
from variants import NET

from trainyard.distributed.failures import report_failure
from trainyard.distributed.ranks import Ranks
from trainyard.durability.run_lock import RunLock, read_status
from trainyard.durability.signals import Stopped, StopSignal, exit_on_signal
from trainyard.errors import LostProcessError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.training.together import report_errors

WORDS = [*NET, "hardware=cpu", "hardware.threads=1", "logger=none", "callbacks.progress_bar=null",
         "trainer.log_every_n_steps=1"]  # fmt: skip
ENDLESS = [*WORDS, "trainer.max_epochs=5000", "hardware.timeout=60"]


class Failing(Callback):
    """Fails in one process after a few batches, or in all."""

    def __init__(self, rank: int | None) -> None:
        self.rank = rank

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == 15 and self.rank in (None, trainer.global_rank):
            raise ValueError("a broken image")


def wait_for_steps(path: Path) -> None:
    """Until the run trains."""
    until = time.monotonic() + 60
    while not read_metrics(path) and time.monotonic() < until:
        time.sleep(0.1)


def one_rank(words: list[str], folder: Path, rank: int, port: int | None = None, size: int = 2) -> processes.Process:
    env = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size),
           "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port or free_port())}  # fmt: skip
    return processes.Process(processes.train, words, folder, **env)


@pytest.mark.parametrize(
    ("rank", "message"),
    [(0, "1 of 2 processes arrived at"), (1, "rank 1 on")],
)  # fmt: skip
def test_a_process_that_never_comes_is_named(rank: int, message: str, tmp_path: Path) -> None:
    process = one_rank([*WORDS, "hardware.timeout=2", f"run.dir={tmp_path}/run"], tmp_path, rank)
    _, errors = process.communicate()
    assert process.returncode == 1 and message in errors and "within 2 s (hardware.timeout)" in errors
    assert "rank 1 did not" in errors or "does not reach rank 0 at" in errors
    assert not (tmp_path / "run").exists()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        words = [*WORDS, "hardware.timeout=2", f"run.dir={tmp_path}/run"]
        ranks = [one_rank(words, tmp_path, rank, port) for rank in range(2)]
        ended = [process.communicate()[1] for process in ranks]
    assert f"port {port} of 127.0.0.1 is in use by another program; set another one: MASTER_PORT=..." in ended[0]
    assert "what listens there does not answer" in ended[1]
    assert [process.returncode for process in ranks] == [1, 1]


def test_a_first_process_that_is_killed_before_the_training_is_named(tmp_path: Path) -> None:
    """While it waits for a third one, which never comes."""
    port = free_port()
    first, second = (one_rank([*WORDS, f"run.root={tmp_path}"], tmp_path, rank, port, size=3) for rank in range(2))
    store = dist.PrefixStore("trainyard/0", dist.TCPStore("127.0.0.1", port, timeout=timedelta(seconds=60)))
    attempt = store.get("attempt").decode()
    while not store.check([f"{attempt}/text/1"]):
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    text = second.communicate()[1]
    assert second.returncode == 1
    assert f"rank 0 at 127.0.0.1:{port} has gone before the training began" in text and "Traceback" not in text


def test_processes_that_are_about_to_train_something_else_are_named(tmp_path: Path) -> None:
    port = free_port()
    ranks = [one_rank([*WORDS, f"run.root={tmp_path}", f"optimizer.lr=0.{rank + 1}"], tmp_path, rank, port)
             for rank in range(2)]  # fmt: skip
    texts = [process.communicate() for process in ranks]
    host = socket.gethostname()
    assert f"optimizer.lr is 0.1 in rank 0 on {host} and 0.2 in rank 1 on {host}" in texts[0][1]
    assert "error" not in "".join(texts[1]) and [process.returncode for process in ranks] == [1, 1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hardware.devices=4", "hardware.devices=4, and torchrun started 2 processes on each machine"),
        (
            "data.batch_size=33",
            "data.batch_size=33 is the samples of a step over all processes, and 2 do not divide it",
        ),
        ("model.activation=foo", "activation=foo is unknown"),
        ("hardware.timeout=null", "hardware.timeout=None must be a number of seconds above 0"),
    ],
)
def test_a_refusal_is_told_once_and_leaves_nothing(word: str, message: str, tmp_path: Path) -> None:
    ended = run_ranks([*WORDS, f"run.root={tmp_path}/runs", word], tmp_path)
    assert [process.returncode for process in ended] == [1, 1]
    assert "".join(process.stderr for process in ended).count(message) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mode=foo", "mode=foo must be min or max"),
        ("trainer.max_epochs=-1 scheduler=constant scheduler._target_=no_such_module.Schedule", "no_such_module"),
    ],
    ids=["a mistake", "a module that one machine lacks"],
)  # fmt: skip
def test_what_one_process_alone_refuses_is_told_with_its_place(word: str, message: str, tmp_path: Path) -> None:
    port, words = free_port(), [*WORDS, f"run.root={tmp_path}", "hardware.timeout=100"]
    ranks = [one_rank([*words, *word.split() * rank], tmp_path, rank, port) for rank in range(2)]
    texts = [process.communicate()[1] for process in ranks]
    assert [process.returncode for process in ranks] == [1, 1]
    assert message in texts[0] and f"(in rank 1 on {socket.gethostname()})" in texts[0]
    assert "error:" not in texts[1] and not list(tmp_path.iterdir())


def test_a_directory_in_use_is_told_once(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run"):
        ended = run_ranks([*WORDS, f"run.dir={tmp_path}/run"], tmp_path)
    errors = "".join(process.stderr for process in ended)
    assert [process.returncode for process in ended] == [1, 1]
    assert errors.count("error:") == errors.count("run is in use by process") == 1


def test_one_directory_named_after_the_job_and_the_first_process_tells(tmp_path: Path) -> None:
    words = [*WORDS, "trainer.max_epochs=1", f"run.root={tmp_path}"]
    first, second = run_ranks(words, tmp_path, TORCHELASTIC_RUN_ID="J1")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    (folder,) = (tmp_path / "mlp_shapes").iterdir()
    assert folder.name == "torchrun-J1" and (folder / "summary.json").is_file()
    assert "epoch 1/1" in first.stdout and not second.stdout and not second.stderr


def test_a_job_that_is_started_again_after_its_end_tests_nothing_again(tmp_path: Path) -> None:
    words = [*WORDS, "trainer.max_epochs=1", f"run.root={tmp_path}"]
    for text in ("epoch 1/1", "is finished (score"):
        first, second = run_ranks(words, tmp_path, TORCHELASTIC_RUN_ID="J1")
        assert (first.returncode, second.returncode) == (0, 0), first.stderr
        assert text in first.stdout and not second.stdout
    assert "epoch 1/1" not in first.stdout
    assert read_status(tmp_path / "mlp_shapes" / "torchrun-J1")["attempt"] == 1


def test_ranks_of_slurm(tmp_path: Path) -> None:
    """As srun sets them, on two machines of one process each."""
    port = str(free_port())
    words = [*WORDS, "trainer.max_epochs=1", f"run.root={tmp_path}"]
    common = {"SLURM_JOB_ID": "42", "SLURM_STEP_ID": "3", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "2",
              "SLURM_NODELIST": "localhost", "SLURM_LOCALID": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
              "SLURM_JOB_NAME": "bash"}  # fmt: skip
    ranks = [processes.Process(processes.train, words, tmp_path, SLURM_PROCID=str(rank), **common) for rank in range(2)]
    texts = [process.communicate() for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], texts
    assert read_status(tmp_path / "mlp_shapes" / "slurm-42.3")["state"] == "done"


def test_a_run_that_torchrun_ends_because_one_process_failed_is_not_preempted(tmp_path: Path) -> None:
    ranks = Ranks(rank=0, world_size=2, local_rank=0, local_world_size=2, address="", port=0, starter="torchrun")
    with exit_on_signal(), pytest.raises(LostProcessError), report_errors(ranks, tmp_path, timeout=1):
        report_failure(ValueError("a broken image"), 1, tmp_path)
        StopSignal().handle(signal.SIGTERM, None)
        raise RuntimeError("gloo: connection closed by peer")


def test_who_loses_a_process_that_a_signal_has_stopped_ends_as_it_does(tmp_path: Path) -> None:
    first, second = (
        Ranks(rank=rank, world_size=3, local_rank=rank, local_world_size=3, address="", port=0, starter="torchrun")
        for rank in (1, 2)
    )
    with pytest.raises(Stopped), report_errors(second, tmp_path, timeout=1):
        raise Stopped(130)
    with exit_on_signal(), pytest.raises(Stopped) as stopped, report_errors(first, tmp_path, timeout=1):
        raise RuntimeError("gloo: connection closed by peer")
    assert stopped.value.code == 130


def test_a_signal_to_one_process_stops_all_at_the_same_step(tmp_path: Path) -> None:
    path = tmp_path / "run"
    ranks = start_ranks([*ENDLESS, f"run.dir={path}"], tmp_path)
    wait_for_steps(path)
    ranks[1].send_signal(signal.SIGTERM)
    texts = [process.communicate() for process in ranks]
    assert [process.returncode for process in ranks] == [75, 75], texts
    assert read_status(path)["state"] == "preempted" and list((path / "checkpoints").glob("resume-*.ckpt"))
    assert texts[0][0].count("stopped; continue with: trainyard train resume=") == 1


def test_a_process_that_is_killed_ends_the_others(tmp_path: Path) -> None:
    path = tmp_path / "run"
    ranks = start_ranks([*ENDLESS, f"run.dir={path}"], tmp_path)
    wait_for_steps(path)
    ranks[1].kill()
    _, errors = ranks[0].communicate(timeout=30)
    assert ranks[0].returncode == 1 and "rank 1 ended without a report, as when it is killed" in errors
    assert "rank 1" in read_status(path)["error"]


def test_a_process_that_hangs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run"
    ranks = start_ranks([*ENDLESS, f"run.dir={path}", "hardware.timeout=3"], tmp_path)
    wait_for_steps(path)
    ranks[1].send_signal(signal.SIGSTOP)
    _, errors = ranks[0].communicate(timeout=30)
    ranks[1].kill()
    assert ranks[0].returncode == 1
    assert "rank 1 did not arrive within 3 s (hardware.timeout), where rank 0 waited for it" in errors


@pytest.mark.parametrize("rank", [0, 1, "null"])
def test_an_error_in_one_process_or_all_ends_all_and_is_told_once(rank: int | str, tmp_path: Path) -> None:
    path = tmp_path / "run"
    callback = f"+callbacks.own={{_target_: test_together.Failing, rank: {rank}}}"
    ended = run_ranks([*ENDLESS, f"run.dir={path}", callback], tmp_path)
    errors = "".join(process.stderr for process in ended)
    assert [process.returncode for process in ended] == [1, 1]
    assert errors.count("a broken image") == 1 and errors.count("error:") == 1
    assert "a broken image" in (path / "crash.txt").read_text()


@pytest.mark.parametrize("net", [[], ["model=resnet18", "model.width=4"]], ids=["mlp", "batch norm of all samples"])
def test_a_loss_that_is_not_finite_is_told_once(net: list[str], tmp_path: Path) -> None:
    words = [word for word in WORDS if not net or not word.startswith("model")] + net
    words += ["optimizer=sgd", "optimizer.lr=1e30", "callbacks.finite.every=4"]
    ended = run_ranks([*words, f"run.dir={tmp_path}/run"], tmp_path)
    assert [process.returncode for process in ended] == [1, 1]
    errors = "".join(process.stderr for process in ended)
    assert errors.count("error:") == errors.count("error: the loss has not been finite since") == 1
    assert "origin: " in errors


class Signalled(Callback):
    """Sends a signal to one process while the other is elsewhere: in a test batch, or as the training ends."""

    def __init__(self, number: int, hook: str) -> None:
        self.number, self.hook = number, hook

    def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0) -> None:
        self.send(trainer, "test")

    def on_train_end(self, trainer, pl_module) -> None:
        self.send(trainer, "train")

    def send(self, trainer, hook: str) -> None:
        if hook == self.hook and trainer.global_rank == 1:
            os.kill(os.getpid(), self.number)
        elif hook == self.hook:
            time.sleep(1)


def test_a_signal_during_the_test_waits_for_nobody(tmp_path: Path) -> None:
    """Lightning's own handler of SIGTERM would broadcast, and wait for a process that is somewhere else."""
    callback = f"+callbacks.own={{_target_: test_together.Signalled, number: {int(signal.SIGTERM)}, hook: test}}"
    words = [*WORDS, "trainer.max_epochs=1", "hardware.timeout=5", f"run.dir={tmp_path}/run", callback]
    first, second = run_ranks(words, tmp_path)
    assert second.returncode == 75 and "there is nothing to save" in second.stderr
    assert first.returncode == 75 and "error" not in first.stderr  # it is told by the other's report
