"""Tasks of a user's own that classify nothing: they are validated, tested and predict what they are for."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanAbsoluteError
from torchmetrics.classification import MultilabelAccuracy

import trainyard
from trainyard.data.base import DataModule, Samples
from trainyard.errors import UserError
from trainyard.tasks.base import Scored, Task


class Points(DataModule):
    """Points in the plane; their targets are a number each, or two labels each."""

    def __init__(self, several: bool = False, size: int | None = None, batch_size: int = 8, seed: int = 0, **_: Any):
        super().__init__(batch_size=batch_size, seed=seed)
        self.several, self.size = several, size or 100

    def read(self, split: str) -> Samples:
        points = torch.randn(self.size, 2, generator=torch.Generator().manual_seed(len(split)))
        return Samples(points, (points > 0).float() if self.several else points.sum(dim=1))


class Regression(Task):
    def __init__(
        self, num_classes: int, label_smoothing: float, loss: str, class_weights: None, metrics: list, views: str,
        **common: Any,
    ) -> None:  # fmt: skip
        super().__init__(**common)

    def metrics(self, stage: str) -> dict[str, Any]:
        return {"mae": MeanAbsoluteError()}

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, targets = batch
        outputs = self.net(inputs).squeeze(1)
        return Scored(F.mse_loss(outputs, targets), len(targets), outputs, targets)


class MultiLabel(Regression):
    def metrics(self, stage: str) -> dict[str, Any]:
        return {"accuracy": MultilabelAccuracy(2)}

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        inputs, targets = batch
        logits = self.net(inputs)
        return Scored(F.binary_cross_entropy_with_logits(logits, targets), len(targets), logits, targets.int())

    def postprocess(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()


WORDS = ["data=xor", "data._target_=test_own_tasks.Points", "data.batch_size=8", "model=mlp", "model.widths=[16]",
         "optimizer.lr=0.01", "trainer.max_epochs=15", "hardware=cpu", "callbacks.progress_bar=null"]  # fmt: skip
POINTS = torch.tensor([[1.5, 0.5], [-1.0, 0.5], [-1.0, -1.0]])


def test_a_regression_is_validated_and_predicts_numbers(tmp_path: Path) -> None:
    run = trainyard.train(
        [*WORDS, f"run.dir={tmp_path}/run", "task._target_=test_own_tasks.Regression", "monitor=val/mae", "mode=min"]
    )
    assert run.summary["best_epoch"] is not None and run.summary["best"]["val/mae"] < 0.3
    assert run.evaluate() == pytest.approx(run.summary["test"])
    predicted = run.predict(POINTS.double().numpy())
    assert predicted.shape == (3, 1)
    torch.testing.assert_close(predicted.squeeze(1), POINTS.sum(dim=1), atol=0.5, rtol=0)
    assert torch.equal(run.predict(POINTS.tolist()), predicted)
    with pytest.raises(UserError, match=r"inputs \(3, 3\) of torch.float32 do not fit the network"):
        run.predict(torch.zeros(3, 3))


def test_a_regression_is_evaluated_with_intervals(tmp_path: Path) -> None:
    run = trainyard.train(
        [*WORDS, "trainer.max_epochs=1", "task._target_=test_own_tasks.Regression", "monitor=val/mae", "mode=min",
         f"run.dir={tmp_path}/run"]
    )  # fmt: skip
    found = run.evaluation()
    low, high = found.intervals["test/mae"]
    assert found.scores == pytest.approx(run.summary["test"]) and low < found.scores["test/mae"] < high
    assert found.samples == 100 and found.confusion is None
    with pytest.raises(UserError, match="robustness disturbs images or labeled texts, and Points has neither"):
        run.robustness()


def test_several_labels_are_probabilities_of_their_own(tmp_path: Path) -> None:
    words = [
        "+data.several=true",
        "task._target_=test_own_tasks.MultiLabel",
        "model._target_=test_own_tasks.two_logits",
    ]
    run = trainyard.train([*WORDS, f"run.dir={tmp_path}/run", *words])
    assert run.summary["best_epoch"] is not None and run.summary["test"]["test/accuracy"] >= 0.85
    torch.testing.assert_close(run.predict(POINTS).round(), (POINTS > 0).float())


def two_logits(num_classes: int, shape: list[int], widths: list[int], **_: Any) -> torch.nn.Module:
    """A network with a logit for each of two labels."""
    return torch.nn.Sequential(torch.nn.Linear(2, widths[0]), torch.nn.ReLU(), torch.nn.Linear(widths[0], num_classes))


def test_too_few_samples_to_validate_on_are_refused(tmp_path: Path) -> None:
    words = [*WORDS, "data.size=1", "task._target_=test_own_tasks.Regression", "monitor=val/mae", "mode=min"]
    with pytest.raises(ValueError, match="of 1 training samples, val_fraction=0.1 leaves 1 to train on and 0"):
        trainyard.train([*words, f"run.dir={tmp_path}/run"])
    assert not (tmp_path / "run").exists()
