"""LightningModules of other people in two processes, as Lightning divides their batches."""

from pathlib import Path

import pytest
import torch

import trainyard

pytestmark = pytest.mark.slow
DIGITS = ["data=lightning", "data.module={_target_: others.Digits}", "model=lightning"]
TWO = [
    "hardware=ddp", "hardware.accelerator=cpu", "hardware.devices=2", "logger=none", "callbacks.pictures=null",
    "trainer.max_epochs=2",
]  # fmt: skip


def test_resumed_is_uninterrupted_to_the_bit(tmp_path: Path) -> None:
    """What it monitors, and its plateau schedule, is the same in both: it logs with sync_dist=True."""
    words = [*DIGITS, *TWO, "model._target_=others.Classifier", "monitor=valid_loss"]
    whole = trainyard.train([*words, "trainer.max_epochs=4", f"run.dir={tmp_path}/whole"])
    trainyard.train([*words, f"run.dir={tmp_path}/cut"])
    again = trainyard.train([f"resume={tmp_path}/cut", "trainer.max_epochs=4"])
    expected, found = (run.task("last").state_dict() for run in (whole, again))
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert again.summary["test"] == whole.summary["test"] and again.summary["steps"] == 4 * 3


def test_two_optimizers_need_the_search_for_unused_parameters(tmp_path: Path) -> None:
    words = [*DIGITS, *TWO, "model._target_=others.GAN", f"run.root={tmp_path}"]
    with pytest.raises(Exception, match="set hardware.find_unused_parameters=true"):
        trainyard.train(words)
    assert trainyard.train([*words, "hardware.find_unused_parameters=true"]).summary["steps"] == 2 * 2 * 3
