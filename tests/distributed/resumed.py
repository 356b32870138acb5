"""Runs of several processes that are cut off and resumed, and what they have to come to."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning import Callback
from ranks import start_ranks, together
from variants import ALWAYS, end

import trainyard
from trainyard.loggers.metrics_lines import read_metrics

FEW = [*ALWAYS, "logger=none", "callbacks.samples=null"]


class Slow(Callback):
    """Leaves time to kill a run."""

    def on_train_batch_end(self, *_: Any) -> None:
        time.sleep(0.02)


def killed(words: list[str], path: Path, step: int) -> None:
    """Leave in `path` a run whose processes were killed soon after that step."""
    ranks = start_ranks([*words, f"run.dir={path}", "+callbacks.slow._target_=resumed.Slow"], path.parent)
    until = time.monotonic() + 60
    while all((row["step"] or 0) < step for row in read_metrics(path)) and time.monotonic() < until:
        time.sleep(0.02)
    for process in ranks:
        process.kill()
    for process in ranks:
        process.communicate()
    assert read_metrics(path) and not (path / "summary.json").exists()


def ending(path: Path) -> Any:
    """All that the run in `path` came to."""
    return end(SimpleNamespace(path=path))  # pyright: ignore


def assert_same_to_the_bit(cut: Path, whole: Path) -> None:
    (state, rows), (expected, lines) = ending(cut), ending(whole)
    assert rows == lines
    for part in expected:
        assert state[part] == expected[part], part


def assert_nearly_the_same_with(size: int, words: list[str], step: int, folder: Path, rel: float | None = None) -> None:
    """A run of two processes, killed after `step` and resumed with `size`, logs what the whole one does within 1e-5."""
    together([*words, f"run.dir={folder}/whole"], folder)
    killed(words, folder / "cut", step)
    if size == 1:
        trainyard.train([f"resume={folder}/cut", "hardware.devices=1"])
    else:
        together([f"resume={folder}/cut", f"hardware.devices={size}"], folder, size)
    rows, lines = (ending(folder / name)[1] for name in ("cut", "whole"))
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert row == pytest.approx(line, abs=1e-5, rel=rel)
