"""Which run is continued, and what may change when it is."""

from pathlib import Path

import processes
import pytest
from interrupt import cut_off

import trainyard
from trainyard.durability.run_lock import RunLock
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.machine import ACCELERATORS
from trainyard.runs.directory import RESOLVED

WORDS = ["data=shapes", "data.size=200", "data.test_size=100", "model=mlp", "model.widths=[8]", "scheduler=constant"]


@pytest.fixture
def done(short: list[str], tmp_path: Path) -> trainyard.Run:
    return trainyard.train([*short, *WORDS, f"run.dir={tmp_path}/here", f"run.root={tmp_path}"])


def test_a_finished_run_is_reported_and_gives_its_result(done: trainyard.Run, short: list[str], caplog) -> None:
    before = read_metrics(done.path)
    for words in ([f"resume={done.path}"], [*short, *WORDS, f"run.dir={done.path}"]):
        assert trainyard.train(words).summary == done.summary
    assert f"run: {done.path} is finished (score " in caplog.text
    assert read_metrics(done.path) == before


def test_max_epochs_can_be_increased_and_the_run_is_one_that_was_longer_from_the_start(
    done: trainyard.Run, short: list[str], tmp_path: Path
) -> None:
    longer = trainyard.train([f"resume={done.path}", "trainer.max_epochs=4"])
    limits = [word for word in short if "max_epochs" not in word]
    whole = trainyard.train([*limits, *WORDS, "trainer.max_epochs=4", f"run.dir={tmp_path}/whole"])
    assert longer.summary["test"] == whole.summary["test"] and longer.summary["epochs"] == 4
    assert longer.cfg.trainer.max_epochs == 4


def test_what_would_be_another_run_is_refused_with_the_difference(done: trainyard.Run, short: list[str]) -> None:
    with pytest.raises(
        UserError, match="contains another run: optimizer.lr is 0.001 there and 0.1 here. Choose another"
    ):
        trainyard.train([*short, *WORDS, "optimizer.lr=0.1", f"run.dir={done.path}"])
    with pytest.raises(UserError, match="data.rot is not a key of that run's config"):
        trainyard.train([f"resume={done.path}", "data.rot=here"])
    with pytest.raises(
        UserError, match=r"callbacks.resume.evry_seconds is not .* mean callbacks.resume.every_seconds\?"
    ):
        trainyard.train([f"resume={done.path}", "callbacks.resume.evry_seconds=1"])
    with pytest.raises(UserError, match=r"optimizer.lr=0.1 would change it \(there: 0.001\); leave it out"):
        trainyard.train([f"resume={done.path}", "optimizer.lr=0.1"])
    with pytest.raises(
        UserError, match="started with trainer.max_epochs=2, and here it is 1: it can only be increased"
    ):
        trainyard.train([f"resume={done.path}", "trainer.max_epochs=1"])


def test_a_run_on_a_device_that_is_not_here_is_refused_with_the_alternatives(done: trainyard.Run) -> None:
    absent = next(name for name, is_here in ACCELERATORS.items() if not is_here())  # no machine has both gpu and mps
    config = done.path / RESOLVED
    here, there = f"accelerator: {done.cfg.hardware.accelerator}", f"accelerator: {absent}"
    config.write_text(config.read_text().replace(here, there))
    with pytest.raises(
        UserError, match=f"hardware.accelerator={absent}, which this machine does not have. .* or start a new"
    ):
        trainyard.train([f"resume={done.path}", "trust=true"])


def test_a_schedule_planned_for_its_end_cannot_be_extended(short: list[str], tmp_path: Path) -> None:
    run = trainyard.train([*short, *WORDS[:-1], "scheduler=cosine", f"run.dir={tmp_path}/here"])
    with pytest.raises(UserError, match="the schedule cosine was planned for 2 epochs"):
        trainyard.train([f"resume={run.path}", "trainer.max_epochs=5"])


def test_a_missing_run_and_a_missing_unfinished_one_are_reported(done: trainyard.Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="resume=nowhere: nowhere is not a run, it has no config.yaml"):
        trainyard.train(["resume=nowhere"])
    with pytest.raises(UserError, match=r"resume=latest: there is no unfinished run below .* \(of 1\)"):
        trainyard.train(["resume=latest", f"run.root={tmp_path}"])


def test_latest_is_the_newest_that_is_not_done(done: trainyard.Run, short: list[str], tmp_path: Path) -> None:
    cut_off([*short, *WORDS], tmp_path / "cut", after=1)
    run = trainyard.train(["resume=latest", f"run.root={tmp_path}"])
    assert run.path == tmp_path / "cut" and run.summary["epochs"] == 2


def test_a_run_continues_without_the_experiment_file_that_it_began_with(short: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("# @package _global_\nseed: 3\n")
    words = [*short, *WORDS, f"experiment={file}", f"run.dir={tmp_path}/here"]
    trainyard.train(words)
    file.unlink()
    done = processes.run(processes.train, f"resume={tmp_path}/here", "trainer.max_epochs=3", folder=tmp_path)
    assert done.returncode == 0 and "epoch 3/3" in done.stdout, done.stderr


def test_what_to_continue_is_decided_under_the_lock(short: list[str], tmp_path: Path, caplog) -> None:
    """Another process works in the directory: nothing of it is read, built or truncated."""
    cut_off([*short, *WORDS, "callbacks.resume.every_n_steps=1"], tmp_path / "cut", after=3)
    before = (tmp_path / "cut" / "metrics.jsonl").read_bytes()
    for point in (tmp_path / "cut" / "checkpoints").glob("resume-*.ckpt"):
        point.with_name("resume-000000999.ckpt").write_bytes(point.read_bytes()[:-100])
    with RunLock(tmp_path / "cut"), pytest.raises(UserError, match="is in use by"):
        trainyard.train([f"resume={tmp_path}/cut"])
    assert (tmp_path / "cut" / "metrics.jsonl").read_bytes() == before and "is damaged" not in caplog.text
    assert trainyard.train([f"resume={tmp_path}/cut"]).summary["epochs"] == 2
    assert "is damaged" in caplog.text


def test_a_schedule_of_the_users_own_that_needs_the_length_cannot_be_extended(short: list[str], tmp_path: Path) -> None:
    words = [*short, *WORDS, "scheduler=onecycle", "scheduler._target_=trainyard.optim.schedules.one_cycle"]
    trainyard.train([*words, f"run.dir={tmp_path}/here"])
    with pytest.raises(UserError, match="the schedule one_cycle was planned for 2 epochs"):
        trainyard.train([f"resume={tmp_path}/here", "trainer.max_epochs=3"])
    with pytest.raises(UserError, match="the schedule one_cycle needs the length of the training; set one of the two"):
        trainyard.train([*words, "trainer.max_epochs=-1", f"run.dir={tmp_path}/other"])
    assert not (tmp_path / "other").exists()
