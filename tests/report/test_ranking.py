"""Which configuration is the best, by which score, and how certain that is."""

from pathlib import Path

import numpy as np
import pytest
from copies import copy_run

import trainyard
from trainyard.report.bootstrap import bootstrap, compare
from trainyard.report.cells import cells, number
from trainyard.report.groups import Group, group_runs
from trainyard.report.runs import find_runs
from trainyard.report.tables import sentence


def groups_of(folder: Path) -> list[Group]:
    return group_runs(find_runs([folder])[0])


def test_the_test_score_is_shown_and_chooses_nothing(run: trainyard.Run, tmp_path: Path) -> None:
    """Three seeds each: lr 0.1 is better on validation, lr 0.2 on the test set."""
    for seed in range(3):
        for lr, val, test in ((0.1, 0.9, 0.6), (0.2, 0.8, 0.7)):
            copy_run(run.path, tmp_path / f"{lr}-{seed}", seed, lr, val=val - seed / 100, test=test + seed / 100)
    first, second = groups_of(tmp_path)
    assert "optimizer.lr=0.1" in first.first.words and "optimizer.lr=0.2" in second.first.words
    row = cells(first)
    assert (row["validation"], row["test"]) == ("89.00 % ± 1.00", "61.00 % ± 1.00")
    assert row["best run"] == "60.00 %"  # seed 0 is best on validation, seed 2 would be on the test set
    (found,) = compare([first, second])
    assert (found.better, found.split) == (0, "test") and found.difference == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("metric", "mode", "shown"),
    [
        ("mae", "min", "0.5478"), ("r2", "max", "0.5478"), ("auroc", "max", "54.78 %"), ("f1_macro", "max", "54.78 %"),
        ("error", "min", "0.5478"), ("accuracy_top5", "max", "54.78 %"),
    ],
)  # fmt: skip
def test_only_fractions_are_percentages_and_the_mode_is_the_run_s(
    metric: str, mode: str, shown: str, run: trainyard.Run, tmp_path: Path
) -> None:
    copy_run(run.path, tmp_path / "a", lr=0.1, metric=metric, mode=mode, val=0.5478, test=0.5)
    copy_run(run.path, tmp_path / "b", lr=0.2, metric=metric, mode=mode, val=0.7, test=0.6)
    groups = groups_of(tmp_path)
    row = cells(groups[0 if mode == "min" else 1])
    assert (row["metric"], row["validation"]) == (metric, shown)


def test_a_fraction_that_is_none_is_a_plain_number(run: trainyard.Run, tmp_path: Path) -> None:
    copy_run(run.path, tmp_path / "a", val=54.78, test=0.5)
    (group,) = groups_of(tmp_path)
    assert cells(group)["validation"] == "54.78" and number(1234.5678, group) == "1235"
    assert number(0.00123456, group) == "0.001235" and number(12345678.0, group) == "1.235e+07"


def test_few_pairs_have_neither_interval_nor_p_and_p_is_never_zero(run: trainyard.Run, tmp_path: Path) -> None:
    for seed in range(5):
        copy_run(run.path, tmp_path / f"a{seed}", seed, 0.1, val=0.9, test=0.9)
        copy_run(run.path, tmp_path / f"b{seed}", seed, 0.2, val=0.8, test=0.8 - seed / 100)
    groups = groups_of(tmp_path)
    (found,) = compare(groups)
    shown = sentence(found, groups)
    assert shown.startswith("1 against 2: +12.00 points test/accuracy, 95 % interval +10.")
    assert shown.endswith("p < 0.001 (paired bootstrap, 5 pairs)")
    (tmp_path / "b4" / "summary.json").unlink()
    groups = groups_of(tmp_path)
    (found,) = compare(groups)
    assert sentence(found, groups) == "1 against 2: +11.50 points test/accuracy (4 pairs are too few to tell)"


def test_the_bootstrap_knows_chance_from_a_difference() -> None:
    noise = np.random.default_rng(1).normal(size=20)
    found = bootstrap(noise - noise.mean())
    assert found.low < 0 < found.high and 0.4 < found.p < 0.6
    found = bootstrap(noise - noise.mean() + 1)
    assert 0 < found.low < 1 < found.high and found.p < 0.001
    assert bootstrap(noise - noise.mean() + 1, sign=-1).p > 0.999
