"""A run of several processes that was killed and resumed is the uninterrupted one."""

from pathlib import Path

import pytest
from ranks import together
from resumed import FEW, assert_nearly_the_same_with, assert_same_to_the_bit, killed
from variants import NET, TEXT, VARIANTS

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


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in CASES]
)
def test_resumed_with_as_many_processes_it_is_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    words = [*CASES[name], *FEW]
    together([*words, f"run.dir={tmp_path}/whole"], tmp_path)
    killed(words, tmp_path / "cut", 9)
    together([f"resume={tmp_path}/cut"], tmp_path)
    assert_same_to_the_bit(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("size", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_resumed_with_another_number_of_processes_it_is_nearly_the_same(size: int, tmp_path: Path) -> None:
    words = [*NET, *FEW, "data.batch_size=12", "data.augment=flip"]
    assert_nearly_the_same_with(size, words, 9, tmp_path)
    is_plural = "es" if size > 1 else ""
    assert f"resumed with {size} process{is_plural} in place of 2" in (tmp_path / "cut" / "run.log").read_text()
