"""Rows of values: what a run logged, and the runs below a folder."""

import math
from pathlib import Path

import pytest

import trainyard
from trainyard.catalog.ls import ls, value
from trainyard.errors import UserError
from trainyard.report.rows import SHOWN, Rows, merged

WORDS = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "callbacks.pictures=null", "logger=none"]


def test_a_history_has_a_row_for_each_epoch(run: trainyard.Run) -> None:
    rows = run.history()
    assert [row["epoch"] for row in rows] == [0, 1]
    assert {"train/loss", "val/loss", "val/accuracy", "lr/matrices"} <= set(rows.columns)
    assert not any(name.startswith("test/") for name in rows.columns)
    best = rows[run.summary["best_epoch"]]
    assert best["val/accuracy"] == run.summary["score"]


def test_a_history_by_step_has_what_was_logged_at_each(run: trainyard.Run) -> None:
    steps = [row["step"] for row in run.history("step") if "train/step_loss" in row]
    assert steps == [0, 1, 2, 3]
    with pytest.raises(UserError, match="history has rows by epoch or by step, not by batch"):
        run.history("batch")


def test_rows_with_the_same_key_are_merged_and_the_last_value_counts() -> None:
    found = merged([{"epoch": 1, "a": 1}, {"step": 3}, {"epoch": 0, "b": 2}, {"epoch": 1, "a": 3, "c": 4}], "epoch")
    assert found == [{"epoch": 0, "b": 2}, {"epoch": 1, "a": 3, "c": 4}]
    assert found.columns == ["epoch", "b", "a", "c"]


def test_runs_show_the_keys_in_which_they_differ_and_their_scores(short: list[str], tmp_path: Path) -> None:
    for rate in (0.1, 0.01):
        trainyard.train([*short, *WORDS, f"optimizer.lr={rate}", f"run.root={tmp_path}"])
    rows = ls(tmp_path, by="name")
    assert len(rows) == 2 and {row["state"] for row in rows} == {"done"}
    assert sorted(row["optimizer.lr"] for row in rows) == [0.01, 0.1]
    same = {"run", "state", "metric", "score", "test", "model", "data", "age_seconds", "bytes", "problem"}
    assert {name for name in rows.columns if "/" not in name} == same | {"optimizer.lr"}
    assert all(row["val/accuracy"] == row["score"] and row["test/accuracy"] == row["test"] for row in rows)
    (one,) = trainyard.ls(tmp_path, where=["optimizer.lr=0.1"], state=["done"])
    assert trainyard.load(one["run"]).cfg.optimizer.lr == 0.1


def test_a_notebook_shows_a_table_and_escapes_what_is_in_it() -> None:
    html = Rows([{"name": "<b>", "loss": 1 / 3}] * (SHOWN + 2))._repr_html_()
    assert "&lt;b&gt;" in html and "0.333333" in html and "<p>2 more rows</p>" in html


def test_a_data_frame_has_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = Rows([{"a": 1}, {"b": 2.0}]).frame()
    assert list(frame.columns) == ["a", "b"] and math.isnan(frame["a"][1])


def test_without_pandas_a_data_frame_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(UserError, match="a DataFrame needs pandas: pip install pandas"):
        Rows([{"a": 1}]).frame()


@pytest.mark.parametrize(
    ("text", "meant"), [("1e-3", "1e-3"), ("0.001", 0.001), ("null", None), ("[8,4]", "[8,4]"), ("a: b: c", "a: b: c")]
)
def test_values_of_a_config_get_their_types(text: str, meant: object) -> None:
    assert value(text) == meant
