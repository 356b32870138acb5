"""A run that was cut off and resumed is the uninterrupted one, bit for bit."""

import shutil
import time
from pathlib import Path

import pytest
from interrupt import archived, as_if_killed, cut_off
from variants import ALWAYS, NET, PLAIN, VARIANTS, end

import trainyard

FAST = (
    "early stopping", "max_steps", "text", "masked language model", "ema, bf16, workers",
    "accumulation, plateau, validation within epochs", "finetune", "own randomness, workers, validation within epochs",
    "validation after every batch", "own metrics and hooks", "plain data module", "warm-up, plateau",
    "muon", "schedule-free", "augmentation", "regression on a table", "dataset of others",
)  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, id=name, marks=[] if name in FAST else [pytest.mark.slow])
        for name, words in VARIANTS.items()
    ],
)
def test_resumed_is_uninterrupted_to_the_bit(words: list[str], tmp_path: Path) -> None:
    """From the first batch of all, the last one of an epoch, between two epochs, after a validation within one."""
    whole, moments = archived([*words, *ALWAYS], tmp_path / "whole")
    assert len(moments) >= (2 if words[: len(PLAIN)] == PLAIN else 3)
    expected, lines = end(whole)
    for name, moment in moments.items():
        path = tmp_path / name
        as_if_killed(whole, moment, path)
        again = trainyard.train([f"resume='{path}'", "callbacks.resume.every_n_steps=null"])
        state, rows = end(again)
        for part in expected:
            assert state[part] == expected[part], f"{name}: {part}"
        assert rows == lines, name
        assert again.summary["test"] == whole.summary["test"], name


def test_a_run_that_was_killed_in_its_test_has_the_same_scores(tmp_path: Path) -> None:
    words = [*VARIANTS["own randomness, workers, validation within epochs"], *ALWAYS]
    whole = trainyard.train([*words, f"run.dir={tmp_path}/whole"])
    unfinished = shutil.ignore_patterns("summary.json", "status.json")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut", ignore=unfinished)
    again = trainyard.train([f"resume={tmp_path}/cut"])
    assert again.summary["test"] == whole.summary["test"] and end(again) == end(whole)


@pytest.mark.slow
def test_the_extra_epoch_of_weight_averaging_has_no_resume_point(tmp_path: Path) -> None:
    """In which Lightning recomputes the statistics of batch norm: the run resumes from before it."""
    words = [*VARIANTS["swa, batch norm"], *ALWAYS]
    whole, _ = archived(words, tmp_path / "whole")
    assert whole.summary["epochs"] == 4 and whole.summary["steps"] == 34
    steps = [int(point.name[-9:]) for point in (tmp_path / "whole-points").iterdir()]
    assert max(steps) == 32
    last = tmp_path / "whole-points" / "resume-000000032"
    as_if_killed(whole, last, tmp_path / "cut")
    again = trainyard.train([f"resume={tmp_path}/cut"])
    assert end(again) == end(whole) and again.summary["test"] == whole.summary["test"]


def test_a_plateau_knows_the_score_of_a_validation_before_the_resume_point(tmp_path: Path) -> None:
    words = [*VARIANTS["accumulation, plateau, validation within epochs"], *ALWAYS]
    whole = trainyard.train([*words, f"run.dir={tmp_path}/whole"])
    cut_off(words, tmp_path / "cut", after=10)  # validated after 6 of the epoch's 11 batches
    again = trainyard.train([f"resume={tmp_path}/cut"])
    assert end(again) == end(whole) and again.summary["test"] == whole.summary["test"]


def test_a_run_that_was_moved_continues_and_still_knows_its_best(tmp_path: Path) -> None:
    words = [*NET, *ALWAYS, "callbacks=early_stopping", "optimizer.lr=0.3", "logger=[tensorboard,csv]"]
    whole = trainyard.train([*words, f"run.dir={tmp_path}/whole"])
    cut_off(words, tmp_path / "cut", after=27)
    shutil.move(tmp_path / "cut", tmp_path / "moved")
    again = trainyard.train([f"resume={tmp_path}/moved"])
    assert end(again) == end(whole) and again.summary["test"] == whole.summary["test"]
    tables = [(run.path / "metrics.csv").read_text().splitlines() for run in (whole, again)]
    assert len(tables[0]) == len(tables[1]) and tables[0][0].startswith("step,time,")


def test_the_time_of_a_run_is_that_of_its_processes(tmp_path: Path) -> None:
    started = time.monotonic()
    run = trainyard.train([*NET, *ALWAYS, f"run.dir={tmp_path}/here"])
    assert 0 < run.summary["seconds"] <= time.monotonic() - started
