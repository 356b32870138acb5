"""Many runs of two processes each: the jobs of -m, and the trials of a sweep."""

from pathlib import Path

import processes
import pytest
from ranks import run_ranks, together

import trainyard
from trainyard.distributed.rendezvous import named_ranks

WORDS = ["model=mlp", "data=xor", "hardware.threads=1", "trainer.max_epochs=4", "logger=none",
         "callbacks.progress_bar=null"]  # fmt: skip
JOBS = ["-m", "optimizer.lr=0.1,0.2"]
DRIVEN = ["hardware=ddp", "hardware.devices=2", "hardware.accelerator=cpu"]


def check_jobs(folder: Path) -> None:
    """One folder with both runs, each of two processes."""
    (sweep,) = (folder / "outputs" / "sweeps").iterdir()
    runs = [trainyard.Run(path) for path in sorted(sweep.glob("000[01]"))]
    assert [run.cfg.optimizer.lr for run in runs] == [0.1, 0.2]
    for run in runs:
        assert "test/loss" in run.summary["test"]
        assert run.cfg.trainer.devices == 2


def test_jobs_that_torchrun_has_started_share_one_folder(tmp_path: Path) -> None:
    ended = together([*WORDS, *JOBS, "hardware=cpu"], tmp_path)
    check_jobs(tmp_path)
    assert "ranked" not in ended[1].stdout and not ended[1].stdout.strip()
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


@pytest.mark.slow
def test_jobs_each_start_their_processes(tmp_path: Path) -> None:
    done = processes.run(processes.train, *WORDS, *JOBS, *DRIVEN, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    check_jobs(tmp_path)


@pytest.mark.slow
def test_trials_of_a_sweep_each_start_their_processes_and_are_pruned(tmp_path: Path) -> None:
    words = [*DRIVEN, "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=1", "hydra/sweeper/pruner=median",
             "hydra.sweeper.pruner.n_startup_trials=1"]  # fmt: skip
    done = processes.run(processes.train, "-m", "sweep=xor", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "outputs" / "sweeps" / "xor"
    states = [line.split(",")[1] for line in (folder / "trials.csv").read_text().splitlines()[1:]]
    assert len(states) == 4 and states.count("complete") >= 1 and "pruned" in states


def test_a_mistyped_word_is_told_by_one_process_of_a_machine(tmp_path: Path) -> None:
    ended = run_ranks([*WORDS, "optimzer.lr=1"], tmp_path)
    assert [process.returncode for process in ended] == [1, 1]
    assert "optimizer" in ended[0].stderr and not ended[1].stderr
    assert named_ranks([1]) not in ended[0].stderr
