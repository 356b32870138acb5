"""Ordinal classes: probabilities from one number and ascending thresholds, trained, evaluated and predicted."""

from typing import Any

import pytest
import torch
from conftest import ROOT
from torch import nn

import trainyard
from trainyard.errors import UserError
from trainyard.tasks.ordinal import Ordinal

PARTS: dict[str, Any] = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}


def test_probabilities_are_those_of_proportional_odds() -> None:
    task = Ordinal(4, net=nn.Identity(), **PARTS)
    with torch.no_grad():
        task.steps.copy_(torch.tensor([-1.0, 0.3, -2.0]))
    z = torch.tensor([[-3.0], [0.0], [0.7], [9.0]])
    ends = (task.thresholds - z).sigmoid()
    expected = torch.diff(torch.cat((torch.zeros(4, 1), ends, torch.ones(4, 1)), dim=1), dim=1)
    torch.testing.assert_close(task.postprocess(z), expected)
    assert (task.thresholds.diff() > 0).all()


def test_each_class_is_as_probable_at_first() -> None:
    chances = Ordinal(5, net=nn.Identity(), **PARTS).postprocess(torch.zeros(1, 1))
    torch.testing.assert_close(chances, torch.full((1, 5), 0.2))


def test_far_from_the_thresholds_the_loss_is_finite() -> None:
    task = Ordinal(3, net=nn.Identity(), **PARTS)
    scored = task.score((torch.tensor([[90.0], [-90.0]], requires_grad=True), torch.tensor([0, 1])))
    scored.loss.backward()
    assert scored.loss.isfinite() and task.steps.grad is not None and task.steps.grad.isfinite().all()


def test_thresholds_are_learned_without_weight_decay() -> None:
    task = Ordinal(
        3, net=nn.Linear(2, 1), optimizer=lambda groups: torch.optim.AdamW(groups, lr=0.1), scheduler=PARTS["scheduler"]
    )
    groups = task.make_optimizer(100)["optimizer"].param_groups
    (group,) = (group for group in groups if any(weight is task.steps for weight in group["params"]))
    assert group["weight_decay"] == 0


@pytest.mark.parametrize("words", [["num_classes", 2], ["num_outputs", 3]])
def test_other_numbers_are_refused(words: list[Any]) -> None:
    options = {"num_classes": 3, words[0]: words[1]}
    with pytest.raises(ValueError, match="an ordinal task has at least 3 classes and 1 output, not num_classes="):
        Ordinal(net=nn.Linear(2, 1), **options, **PARTS)


def test_a_network_with_logits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the network returns \(2, 3\), and an ordinal task takes \(2, 1\)"):
        Ordinal(3, net=nn.Identity(), **PARTS).score((torch.zeros(2, 3), torch.tensor([0, 1])))


def test_a_run_ranks_its_classes(tmp_path: Any) -> None:
    """Five ages of houses, which the price tells in part: most mistakes are by one class."""
    lines = (ROOT / "tests" / "durability" / "houses.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    ages = [f"{row[0]},{row[4]},{min(4, int(float(row[0]) / 22))}" for row in rows]
    (tmp_path / "table.csv").write_text("\n".join(["size,price,grade", *ages]))
    words = ["data=tabular", f"data.path={tmp_path}/table.csv", "task=ordinal", "model=mlp", "model.widths=[16]",
             "optimizer.lr=0.03", "trainer.max_epochs=25", "hardware=cpu", "hardware.threads=1", "monitor=val/mae",
             "task.metrics=[{cohen_kappa: {weights: quadratic}}]", f"run.dir={tmp_path}/run"]  # fmt: skip
    run = trainyard.train(words)
    scores = run.summary["test"]
    assert run.cfg.mode == "min" and scores["test/mae"] < 0.5 and scores["test/cohen_kappa"] > 0.8
    assert run.evaluation().scores == pytest.approx(scores)
    assert run.predict([[100, 300]]).argmax(dim=1).item() >= 3 and run.class_names() == ["0", "1", "2", "3", "4"]
    with pytest.raises(UserError, match="Ordinal has one number for all classes: explain takes networks with a logit"):
        run.explain([[100, 300]])
