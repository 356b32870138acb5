"""Profiles: files in the run directory, a line about them, and not one bit that differs."""

import json
from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.errors import UserError

WORDS = ["model=mlp", "model.widths=[8]", "model.dropout=0.5", "data=shapes", "data.size=200", "data.test_size=100",
         "callbacks.pictures=null"]  # fmt: skip
TRACE = ["profile=pytorch", "profile.wait=1", "profile.warmup=1", "profile.active=2"]


@pytest.fixture(scope="module")
def plain(short: list[str]) -> trainyard.Run:
    return trainyard.train([*short, *WORDS])


def same_weights(one: trainyard.Run, other: trainyard.Run) -> bool:
    first, second = (torch.load(run.path / "checkpoints" / "last.ckpt")["state_dict"] for run in (one, other))
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_simple_prints_the_main_rows_and_keeps_all(
    short: list[str], plain: trainyard.Run, caplog: pytest.LogCaptureFixture
) -> None:
    run = trainyard.train([*short, *WORDS, "profile=simple", "profile.share=0.05"])
    assert {file.name for file in (run.path / "profile").iterdir()} == {"simple-fit.txt", "simple-test.txt"}
    fit, test = ((run.path / "profile" / f"simple-{stage}.txt").read_text() for stage in ("fit", "test"))
    assert "run_training_batch" in fit and "run_training_batch" not in test  # two tables
    (said,) = [each.getMessage() for each in caplog.records if "profile of" in each.getMessage()]
    assert "run_training_batch" in said and len(said.splitlines()) < len(fit.splitlines()) / 3
    assert said.endswith(f"all actions are in {run.path}/profile/simple-fit.txt")
    assert same_weights(plain, run)


def test_pytorch_traces_a_few_steps_and_changes_no_bit(
    short: list[str], plain: trainyard.Run, caplog: pytest.LogCaptureFixture
) -> None:
    run = trainyard.train([*short, *WORDS, *TRACE])
    events = json.loads((run.path / "profile" / "trace.json").read_text())["traceEvents"]
    names = [str(event.get("name")) for event in events if event.get("ph") == "X"]
    assert sum(name.startswith("ProfilerStep#") for name in names) == 2
    assert any("net.head" in name for name in names) and "aten::addmm" in names  # modules, and their operators
    assert any("optimizer_step" in name for name in names)  # Lightning's actions
    assert "aten::addmm" in (run.path / "profile" / "trace.txt").read_text()
    assert f"of training steps 3 to 4, {run.path}/profile/trace.json (open it at ui.perfetto.dev" in caplog.text
    assert not [hook for module in run.task().modules() for hook in module._forward_hooks]
    assert same_weights(plain, run)


def test_a_training_that_is_too_short_is_said_to_be(short: list[str], caplog: pytest.LogCaptureFixture) -> None:
    run = trainyard.train([*short, *WORDS, "profile=pytorch"])
    assert "recorded, as the training has 4 steps and the first 7 are left out: lower profile.wait" in caplog.text
    assert not (run.path / "profile").exists()


@pytest.mark.parametrize(("wait", "recorded"), [(1, True), (2, True), (3, False)])
def test_a_training_that_ends_before_all_steps_are_recorded(
    wait: int, recorded: bool, short: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It has 4 steps; one is dropped after `wait`."""
    run = trainyard.train([*short, *WORDS, *TRACE, "profile.active=9", f"profile.wait={wait}"])
    assert (f"of training steps {wait + 2} to 4, " in caplog.text) == recorded
    assert ("nothing was recorded" in caplog.text) == (not recorded)
    assert (run.path / "profile").exists() == recorded


def test_a_training_that_fails_stops_the_recorder(short: list[str], plain: trainyard.Run) -> None:
    """Torch has one recorder in a process: the next training could not have one."""
    for _ in range(2):
        with pytest.raises(Exception, match="lr"):
            trainyard.train([*short, *WORDS, *TRACE, "profile.active=9", "optimizer.lr=1e30"])
    assert not torch.autograd._profiler_enabled()


def test_a_run_is_resumed_with_a_profile_and_a_new_one_like_it_has_none(short: list[str], tmp_path: Path) -> None:
    """It is no part of the experiment."""
    run = trainyard.train([*short, *WORDS, "scheduler=constant", f"run.dir={tmp_path}/run"])
    trainyard.train([f"resume={run.path}", "trainer.max_epochs=3", "profile=simple"])
    assert (run.path / "profile" / "simple-fit.txt").exists()
    again = trainyard.train([f"like={run.path}", f"run.dir={tmp_path}/like"])
    assert not (again.path / "profile").exists() and not again.cfg.trainer.profiler


def test_a_trial_without_a_run_writes_nothing(short: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="check=true"):
        trainyard.train([*short, *WORDS, *TRACE, "check=true", f"run.dir={tmp_path}/run"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["profile.active=0", "profile.wait=-1"])
def test_a_schedule_that_cannot_be_is_refused(word: str, short: list[str]) -> None:
    with pytest.raises(UserError, match=f"{word}.*must be at least|must be at least 0, and {word}"):
        trainyard.train([*short, *WORDS, "profile=pytorch", word])
