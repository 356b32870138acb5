"""A LightningModule of other people, cut off within an epoch and resumed, is the uninterrupted one to the bit."""

import logging
from pathlib import Path

import pytest
from interrupt import cut_off
from variants import end

import trainyard

DIGITS = ["data=lightning", "data.module={_target_: others.Digits}"]
SHORT = [
    "trainer.max_epochs=4", "hardware=cpu", "hardware.threads=1", "callbacks.resume.every_n_steps=1",
    "callbacks.pictures=null", "model=lightning",
]  # fmt: skip
BORING = "lightning.pytorch.demos.boring_classes"


@pytest.mark.parametrize(
    "words",
    [
        ["model._target_=others.Classifier", *DIGITS, "monitor=valid_loss", "callbacks=ema"],
        ["model._target_=others.GAN", *DIGITS],
        [f"model._target_={BORING}.BoringModel", "data=lightning",
         f"data.module={{_target_: {BORING}.BoringDataModule}}", "trainer.limit_train_batches=5"],
    ],
    ids=["dropout, plateau, ema", "two optimizers, noise", "boring model and data"],
)  # fmt: skip
def test_resumed_is_uninterrupted_to_the_bit(words: list[str], tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    whole = trainyard.train([*SHORT, *words, f"run.dir={tmp_path}/whole"])
    cut_off([*SHORT, *words], tmp_path / "cut", after=14)
    again = trainyard.train([f"resume={tmp_path}/cut"])
    assert "resumed from resume-" in caplog.text
    state, rows = end(whole)
    state_again, rows_again = end(again)
    for part in state:
        assert state_again[part] == state[part], part
    assert rows_again == rows and again.summary["test"] == whole.summary["test"]
