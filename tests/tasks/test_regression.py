"""Regression: whatever the unit of the targets is, the network learns the same, and predicts in that unit."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import ROOT, options
from torch import nn

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate_task
from trainyard.config.resolve import resolve
from trainyard.errors import UserError
from trainyard.tasks.multilabel import Multilabel
from trainyard.tasks.regression import R2, Regression

PARTS: dict[str, Any] = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}
INPUTS = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
TARGETS = INPUTS @ torch.tensor([1.0, -2.0, 0.5])


def regression(targets: torch.Tensor, **options: Any) -> Regression:
    torch.manual_seed(0)
    outputs = options.setdefault("num_outputs", 1)
    task = Regression(net=nn.Linear(3, outputs), **PARTS, **options)
    task.learn(SimpleNamespace(splits={"train": SimpleNamespace(labels=targets)}))
    return task


def test_another_unit_changes_the_predictions_and_nothing_else() -> None:
    plain, other = regression(TARGETS), regression(1000 + 50 * TARGETS)
    first, second = plain.score((INPUTS, TARGETS)), other.score((INPUTS, 1000 + 50 * TARGETS))
    torch.testing.assert_close(first.loss, second.loss, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(1000 + 50 * first.predictions, second.predictions, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(other.postprocess(other.net(INPUTS)).squeeze(1), second.predictions)
    assert other.state_dict()["target_mean"].item() == pytest.approx(1000 + 50 * float(TARGETS.mean()))


def test_unscaled_targets_are_learned_as_they_are() -> None:
    task = regression(TARGETS, scale_targets=False, loss="mae")
    scored = task.score((INPUTS, TARGETS))
    torch.testing.assert_close(scored.loss, (task.net(INPUTS).squeeze(1) - TARGETS).abs().mean())


def test_a_target_that_never_changes_is_not_divided_by_zero() -> None:
    assert regression(torch.full((5,), 7.0)).score((INPUTS[:5], torch.full((5,), 7.0))).loss.isfinite()


def test_r2_is_exact_far_from_zero_and_nan_of_a_single_sample() -> None:
    """In fp32 it would be a difference of two equal numbers."""
    metric, targets = R2(), 1e4 + TARGETS
    for part in (slice(0, 15), slice(15, 40)):
        metric.update(targets[part] + 0.1, targets[part])
    exact = 1 - 40 * 0.1**2 / float((targets.double() - targets.double().mean()).pow(2).sum())
    assert float(metric.compute()) == pytest.approx(exact, abs=2e-4)
    metric.reset()
    metric.update(targets[:1], targets[:1])
    assert metric.compute().isnan()


@pytest.mark.parametrize(
    ("net", "targets", "message"),
    [
        (nn.Linear(3, 2), TARGETS, r"the network returns \(40, 2\) for targets \(40, 1\); it needs a linear output"),
        (nn.Linear(3, 1), torch.zeros(40, 2), r"targets of 40 samples are \(40, 2\), and the task has num_outputs=1"),
    ],
)
def test_other_shapes_are_refused(net: nn.Module, targets: torch.Tensor, message: str) -> None:
    task = Regression(net=net, **PARTS)
    with pytest.raises(ValueError, match=message):
        task.score((INPUTS, targets))


def test_targets_that_are_no_numbers_or_unknown_are_refused() -> None:
    with pytest.raises(ValueError, match="1 targets of the training split are nan or infinite"):
        regression(torch.tensor([1.0, float("nan"), 2.0]))
    with pytest.raises(ValueError, match="scale_targets=true needs the targets .*; set task.scale_targets=false"):
        Regression(net=nn.Linear(3, 1), **PARTS).learn(SimpleNamespace())


def test_labels_are_predicted_one_by_one() -> None:
    task = Multilabel(3, net=nn.Linear(3, 3), **PARTS)
    scored = task.score((INPUTS, (INPUTS > 0).long()))
    logits = task.net(INPUTS)
    torch.testing.assert_close(
        scored.loss, nn.functional.binary_cross_entropy_with_logits(logits, (INPUTS > 0).float())
    )
    assert torch.equal(task.postprocess(logits), scored.predictions)
    with pytest.raises(ValueError, match=r"the network returns \(40, 3\) for targets \(40,\); both should be"):
        task.score((INPUTS, TARGETS))
    with pytest.raises(ValueError, match="num_outputs=1: a single label is two classes; use task=classification"):
        Multilabel(1, net=nn.Linear(3, 1), **PARTS)


TEXT = ("bow", "gru", "lstm", "transformer", "hypergraph")
CLASSES_ALONE = "nb_bow"  # whose weights are ratios of classes
OURS = [name for name in options("model") if "num_outputs:" in (ROOT / f"conf/model/{name}.yaml").read_text()]


def test_all_networks_for_labels_can_have_other_outputs() -> None:
    assert {"mlp", "cnn", "resnet18", "resnet34", "resnet50", "vgg16", "vit", *TEXT} <= set(OURS)


@pytest.mark.parametrize("model", [name for name in OURS if name != CLASSES_ALONE])
def test_every_network_has_as_many_outputs_as_the_task_says(model: str) -> None:
    """Of two targets one logit would be left, as of two classes."""
    data = "reviews" if model in TEXT else "shapes"
    words = ["run.dir=x", f"model={model}", f"data={data}", "task=regression", "task.num_outputs=2"]
    with torch.device("meta"):
        task = instantiate_task(resolve(compose(words)))
    *_, last = (module for module in task.net.modules() if isinstance(module, nn.Linear))
    assert last.out_features == 2


def test_a_network_for_classes_alone_refuses_other_tasks() -> None:
    words = ["run.dir=x", f"model={CLASSES_ALONE}", "data=reviews", "task=regression", "task.num_outputs=1"]
    with pytest.raises(UserError, match="num_outputs=1: naive Bayes weights are ratios of classes, which this task "):
        instantiate_task(resolve(compose(words)))
