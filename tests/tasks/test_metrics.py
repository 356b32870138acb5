"""Metrics by name: of the kind that fits, of predictions, one number each."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, MulticlassAUROC

import trainyard
from trainyard.errors import UserError
from trainyard.tasks.metrics import OfPredictions, make_metrics, of_classes, of_labels, of_numbers, snake_case

SHAPES = ["model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100"]
XOR = ["data=xor", "data.size=40", "data.noise=0.1", "model=mlp", "model.widths=[8]"]


def inner(metrics: dict[str, Metric]) -> dict[str, str]:
    return {name: type(each.metric).__name__ for name, each in metrics.items() if isinstance(each, OfPredictions)}


@pytest.mark.parametrize(
    ("kind", "given", "found"),
    [
        (of_classes(2), ["auroc", "mcc"], {"auroc": "BinaryAUROC", "mcc": "BinaryMatthewsCorrCoef"}),
        (of_classes(5), ["auroc", {"fbeta_score": {"beta": 2.0}}],
         {"auroc": "MulticlassAUROC", "fbeta_score": "MulticlassFBetaScore"}),
        (of_labels(3), ["ranking_loss", "exact_match"],
         {"ranking_loss": "MultilabelRankingLoss", "exact_match": "MultilabelExactMatch"}),
        (of_numbers(1), ["mape", "spearman_corr_coef"],
         {"mape": "MeanAbsolutePercentageError", "spearman_corr_coef": "SpearmanCorrCoef"}),
        (of_numbers(2), ["mse"], {"mse": "MeanSquaredError"}),
        (of_classes(3), [MulticlassAUROC(3), {"other": MulticlassAUROC(3, average="weighted")}],
         {"auroc": "MulticlassAUROC", "other": "MulticlassAUROC"}),
        (of_classes(2), [BinaryAUROC()], {"auroc": "BinaryAUROC"}),
    ],
)  # fmt: skip
def test_a_name_is_the_metric_that_fits(kind: Any, given: list[Any], found: dict[str, str]) -> None:
    assert inner(make_metrics(given, kind)) == found


def test_names_are_those_of_torchmetrics_functions() -> None:
    names = ("AveragePrecision", "AUROC", "F1Score", "FBetaScore", "LogAUC", "KLDivergence")
    found = " ".join(map(snake_case, names))
    assert found == "average_precision auroc f1_score fbeta_score log_auc kl_divergence"


@pytest.mark.parametrize("classes", [2, 3])
def test_logits_are_never_taken_for_probabilities(classes: int) -> None:
    """torchmetrics takes a batch of logits within [0, 1] for probabilities, so that its scores depend on batches."""
    torch.manual_seed(0)
    logits, labels = torch.randn(60, classes), torch.arange(60) % classes
    logits[:30] = logits[:30].sigmoid()
    metric = make_metrics(["auroc"], of_classes(classes))["auroc"]
    for part in range(0, 60, 30):
        metric.update(logits[part : part + 30], labels[part : part + 30])
    chances = logits.softmax(dim=1)
    exact = BinaryAUROC() if classes == 2 else MulticlassAUROC(classes)
    assert metric.compute() == exact(chances[:, 1] if classes == 2 else chances, labels)
    whole = exact(logits[:, 1] if classes == 2 else logits, labels)
    assert metric.compute() != whole or classes == 3


class Broken(Metric):
    def update(self, preds: Tensor, target: Tensor) -> None:
        raise RuntimeError("no")

    def compute(self) -> Tensor:
        return torch.zeros(())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["aurocc"], r"task.metrics: aurocc is unknown. Did you mean auroc or roc\? There are accuracy, auroc"),
        (["confusion_matrix"], r"confusion_matrix computes \(3, 3\), and only a single number can be logged"),
        (["roc"], "roc computes tuple, and only a single number can be logged"),
        (["fbeta_score"], "task.metrics: fbeta_score: .*beta"),
        ([{"auroc": {"averag": "macro"}}], "task.metrics: auroc: .*averag"),
        ([{"auroc": {"average": "mean"}}], "task.metrics: auroc: .*average.*mean"),
        ([{"auroc": {"thresholds": 10**10}}], "task.metrics: auroc: thresholds=10000000000 is more than 10,000"),
        (["auroc", "auroc"], "task.metrics names auroc twice; {other_name: {_target_: ...}} gives it another name"),
        ([3], r"task.metrics: 3 should be a name, {name: {argument: value}} or {_target_: ...}"),
        ([Broken()], "task.metrics: broken cannot be computed here: RuntimeError: no"),
    ],
)
def test_other_metrics_are_refused(given: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_metrics(given, of_classes(3))


def test_a_run_logs_and_monitors_them(short: list[str]) -> None:
    own = "{sure: {_target_: torchmetrics.classification.MulticlassCalibrationError, num_classes: 10}}"
    metrics = f"task.metrics=[auroc,{{fbeta_score: {{beta: 2.0}}}},{own}]"
    run = trainyard.train([*short, *SHAPES, metrics, "monitor=val/auroc"])
    assert {"test/auroc", "test/fbeta_score", "test/sure", "test/accuracy", "test/f1"} <= set(run.summary["test"])
    assert run.cfg.mode == "max" and run.summary["score"] == run.summary["best"]["val/auroc"]
    found = run.evaluation()
    assert found.scores == pytest.approx(run.summary["test"])
    low, high = found.intervals["test/fbeta_score"]
    assert low < found.scores["test/fbeta_score"] < high


def test_a_metric_that_a_task_has_anyway_needs_another_name(short: list[str]) -> None:
    with pytest.raises(UserError, match=r"accuracy is logged anyway; .* another name, as {my_accuracy: {_tar"):
        trainyard.train([*short, *XOR, "task.metrics=[accuracy]"])


def test_the_usual_scores_are_as_they_were(run: trainyard.Run) -> None:
    names = [f"{stage}/{name}" for stage in ("val", "test") for name in ("loss", "accuracy", "f1", "accuracy_top5")]
    assert run.task().scores() == ["train/loss", "train/accuracy", *names]
