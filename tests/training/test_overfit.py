"""trainer.overfit_batches: the same few samples in every epoch."""

import sys
from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.data.shapes import Shapes
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics

sys.path.insert(0, str(Path(__file__).parents[1] / "durability"))
SEEN: list[set[int]] = []
SHAPES = ["data=shapes", "data.size=120", "data.test_size=100", "model=mlp", "model.widths=[64]", "logger=none",
          "hardware=cpu", "hardware.threads=1", "data.batch_size=10", "callbacks.pictures=null"]  # fmt: skip


class Watched(Shapes):
    """Notes the samples of each training batch."""

    def transform(self, inputs: torch.Tensor, keys: torch.Tensor | None) -> torch.Tensor:
        if keys is not None and self.share is not None:
            SEEN.append(set(self.splits["train"].rows[self.share.index].tolist()))
        return super().transform(inputs, keys)


def test_the_same_samples_come_in_every_epoch_and_are_learned(tmp_path: Path) -> None:
    SEEN.clear()
    words = [*SHAPES, "data._target_=test_overfit.Watched", "trainer.overfit_batches=2", "trainer.max_epochs=30"]
    run = trainyard.train([*words, f"run.dir={tmp_path}/run", "optimizer.lr=3e-3"])
    epochs = [SEEN[2 * epoch] | SEEN[2 * epoch + 1] for epoch in range(30)]
    assert run.summary["steps"] == 60 and len(epochs[0]) == 20 and all(epoch == epochs[0] for epoch in epochs)
    losses = [row["train/loss"] for row in read_metrics(run.path) if "train/loss" in row]
    assert losses[-1] < 0.1 * losses[0]
    assert len(set(map(frozenset, SEEN))) > 10  # in another order in each


def test_a_fraction_is_one_of_the_batches(tmp_path: Path) -> None:
    words = [*SHAPES, "trainer.overfit_batches=0.3", "trainer.max_epochs=1", f"run.dir={tmp_path}/run"]
    assert trainyard.train(words).summary["steps"] == 3  # of the 11 batches of 108 samples


def test_more_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trainer.overfit_batches=50: there are 11 batches of 10 samples"):
        trainyard.train([*SHAPES, "trainer.overfit_batches=50", f"run.dir={tmp_path}/run"])
    assert not (tmp_path / "run").exists()


def test_a_plain_data_module_is_lightnings_matter(tmp_path: Path) -> None:
    words = ["data=xor", "data._target_=variants.PlainData", "model=mlp", "model.widths=[8]", *SHAPES[5:8]]
    more = ["trainer.overfit_batches=2", "trainer.max_epochs=2", f"run.dir={tmp_path}/run", "callbacks.pictures=null"]
    assert trainyard.train([*words, *more]).summary["steps"] == 4
