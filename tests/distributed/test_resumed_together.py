"""A run of several processes that was killed and resumed is the uninterrupted one."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning import Callback
from ranks import run_ranks, start_ranks
from variants import ALWAYS, NET, TEXT, VARIANTS, end

import trainyard
from trainyard.loggers.metrics_lines import read_metrics

FEW = [*ALWAYS, "logger=none", "callbacks.samples=null"]
CASES = {
    "augmentation, dropout, workers": [*NET, "data.augment=flip", "model.dropout=0.5", "data.num_workers=1"],
    "accumulation, batch norm": [*VARIANTS["batch norm, sgd, mixup"], "trainer.accumulate_grad_batches=3"],
    "text, early stopping": [*TEXT, "callbacks=early_stopping", "callbacks.early_stopping.patience=1"],
    "own metrics and hooks": VARIANTS["own metrics and hooks"],
    "causal language model": VARIANTS["causal language model"],
    "finetune": VARIANTS["finetune"],
    "ema, plateau, validation within epochs": [*NET, "callbacks=ema", "callbacks.ema.decay=0.9", "scheduler=plateau",
                                               "trainer.val_check_interval=4", "optimizer.lr=0.1"],
}  # fmt: skip

FAST = ("accumulation, batch norm", "causal language model", "ema, plateau, validation within epochs")


class Slow(Callback):
    """Leaves time to kill a run."""

    def on_train_batch_end(self, *_: Any) -> None:
        time.sleep(0.02)


def together(words: list[str], folder: Path, size: int = 2) -> None:
    ended = run_ranks(words, folder, size)
    assert [process.returncode for process in ended] == [0] * size, [process.stderr for process in ended]


def killed(words: list[str], path: Path, step: int) -> None:
    """Leave in `path` a run whose processes were killed soon after that step."""
    ranks = start_ranks([*words, f"run.dir={path}", "+callbacks.slow._target_=test_resumed_together.Slow"], path.parent)
    until = time.monotonic() + 60
    while all((row["step"] or 0) < step for row in read_metrics(path)) and time.monotonic() < until:
        time.sleep(0.02)
    for process in ranks:
        process.kill()
    for process in ranks:
        process.communicate()


def ending(path: Path) -> Any:
    return end(SimpleNamespace(path=path))  # pyright: ignore


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in CASES]
)
def test_resumed_with_as_many_processes_it_is_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    words = [*CASES[name], *FEW]
    together([*words, f"run.dir={tmp_path}/whole", "+callbacks.slow._target_=test_resumed_together.Slow"], tmp_path)
    killed(words, tmp_path / "cut", 9)
    assert not (tmp_path / "cut" / "summary.json").exists()
    together([f"resume={tmp_path}/cut"], tmp_path)
    (state, rows), (expected, lines) = ending(tmp_path / "cut"), ending(tmp_path / "whole")
    assert rows == lines
    for part in expected:
        assert state[part] == expected[part], part


@pytest.mark.parametrize("size", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_resumed_with_another_number_of_processes_it_is_nearly_the_same(size: int, tmp_path: Path) -> None:
    words = [*NET, *FEW, "data.batch_size=12", "data.augment=flip"]
    together([*words, f"run.dir={tmp_path}/whole"], tmp_path)
    killed(words, tmp_path / "cut", 9)
    if size == 1:
        trainyard.train([f"resume={tmp_path}/cut", "hardware.devices=1"])
    else:
        together([f"resume={tmp_path}/cut", "hardware.devices=3"], tmp_path, size)
    rows, lines = (ending(tmp_path / name)[1] for name in ("cut", "whole"))
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert row == pytest.approx(line, abs=1e-5)
    is_plural = "es" if size > 1 else ""
    assert f"resumed with {size} process{is_plural} in place of 2" in (tmp_path / "cut" / "run.log").read_text()
