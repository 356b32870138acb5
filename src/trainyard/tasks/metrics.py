"""Metrics by name: torchmetrics' own, of the kind that fits a task."""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
import torchmetrics.classification
import torchmetrics.regression
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from trainyard.errors import did_you_mean

SHORT: dict[str, tuple[str, dict[str, Any]]] = {  # usual names, torchmetrics' ones, and their arguments
    "mae": ("mean_absolute_error", {}), "mse": ("mean_squared_error", {}), "r2": ("r2_score", {}),
    "rmse": ("mean_squared_error", {"squared": False}), "mape": ("mean_absolute_percentage_error", {}),
    "f1": ("f1_score", {}), "mcc": ("matthews_corr_coef", {}),
}  # fmt: skip
MOST = 10_000  # of an argument: thresholds, whose counts are in memory
Convert = Callable[[Tensor], Tensor]


class Kind(NamedTuple):
    """Which of torchmetrics' classes fit a task, and what they are compared with."""

    prefix: str  # Binary, Multiclass, Multilabel, or none, for numbers
    arguments: Mapping[str, Any]  # that all of them take: num_classes
    convert: Convert  # from what the task's steps return to predictions
    trial: tuple[Tensor, Tensor]  # a few such outputs and targets, on which each metric is tried

    @property
    def classes(self) -> dict[str, type[Metric]]:
        """The metrics of this kind by their names in snake case."""
        package = torchmetrics.classification if self.prefix else torchmetrics.regression
        found = {name: getattr(package, name) for name in package.__all__ if name.startswith(self.prefix)}
        return {snake_case(name.removeprefix(self.prefix)): each for name, each in found.items()}


class OfPredictions(WrapperMetric):
    """A metric of a task's predictions, which it computes from what the task's steps return."""

    def __init__(self, metric: Metric, convert: Convert) -> None:
        super().__init__()
        self.metric, self.convert = metric, convert

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        self.metric.update(self.convert(outputs), targets)

    def compute(self) -> Any:
        return self.metric.compute()

    def reset(self) -> None:
        super().reset()
        self.metric.reset()


def snake_case(name: str) -> str:
    """AveragePrecision -> average_precision; AUROC -> auroc, FBetaScore -> fbeta_score."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower().replace("f_beta", "fbeta")


def make_metrics(given: Iterable[Any], kind: Kind) -> dict[str, Metric]:
    """The metrics that a config lists, by the names that they are logged by.

    Each is a name, {name: {argument: value}}, a Metric, or {name: Metric}. ValueError for an unknown name, for
    arguments that do not fit, and for a metric that does not compute a single number from the task's predictions.
    """
    found: dict[str, Metric] = {}
    for each in given:
        name, value = next(iter(each.items())) if isinstance(each, Mapping) and len(each) == 1 else (each, {})
        if isinstance(name, Metric):
            name, value = snake_case(re.sub("^(Binary|Multiclass|Multilabel)", "", type(name).__name__)), name
        if not isinstance(name, str) or not isinstance(value, Mapping | Metric | None):
            raise ValueError(
                f"task.metrics: {each} should be a name, {{name: {{argument: value}}}} or {{_target_: ...}}"
            )
        if name in found:
            raise ValueError(
                f"task.metrics names {name} twice; {{other_name: {{_target_: ...}}}} gives it another name"
            )
        metric = value if isinstance(value, Metric) else by_name(name, value or {}, kind)
        found[name] = checked(name, OfPredictions(metric, converter(metric, kind)), kind)
    return found


def converter(metric: Metric, kind: Kind) -> Convert:
    """From the outputs to what a metric takes: of two classes a Binary one takes the probability of the second."""
    is_binary = type(metric).__name__.startswith("Binary")
    return second_probability if is_binary and kind.prefix == "Multiclass" else kind.convert


def by_name(name: str, arguments: Mapping[str, Any], kind: Kind) -> Metric:
    """The metric of a name; ValueError if there is none, or if it does not take the arguments."""
    full, usual = SHORT.get(name, (name, {}))
    known = kind.classes
    if full not in known:
        near = did_you_mean(full, known)
        raise ValueError(f"task.metrics: {name} is unknown.{near} There are {', '.join(sorted(known))}")
    for key, value in arguments.items():
        if isinstance(value, int) and value > MOST:
            raise ValueError(f"task.metrics: {name}: {key}={value} is more than {MOST:,}")
    try:
        return known[full](**{**kind.arguments, **usual, **arguments})
    except (TypeError, ValueError) as error:
        raise ValueError(f"task.metrics: {name}: {error}") from error


def checked(name: str, metric: OfPredictions, kind: Kind) -> OfPredictions:
    """The metric, tried once; ValueError unless it computes a number."""
    if torch.empty(0).device.type == "meta":
        return metric
    trial = metric.clone()
    try:
        with warnings.catch_warnings():  # of samples that are too few
            warnings.simplefilter("ignore")
            trial.update(*kind.trial)
            value = trial.compute()
    except Exception as error:  # of someone else's code
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(f"task.metrics: {name} cannot be computed here: {type(error).__name__}: {reason}") from error
    if not isinstance(value, Tensor) or value.numel() != 1:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"task.metrics: {name} computes {shape}, and only a single number can be logged")
    if hasattr(metric.metric, "validate_args"):  # tried already; in each step it would wait for the device
        metric.metric.validate_args = False  # pyright: ignore
    return metric


def probabilities(logits: Tensor) -> Tensor:  # (B, classes), the same
    """The softmax, in fp32."""
    return logits.float().softmax(dim=1)


def second_probability(logits: Tensor) -> Tensor:  # (B, 2) -> (B)
    """The probability of class 1."""
    return probabilities(logits)[:, 1]


def of_classes(num_classes: int) -> Kind:
    """Metrics of a classification: of two classes the Binary ones, of class 1, else the Multiclass ones."""
    labels = torch.arange(8) % num_classes
    trial = F.one_hot(labels, num_classes).float(), labels
    if num_classes == 2:
        return Kind("Binary", {}, second_probability, trial)
    return Kind("Multiclass", {"num_classes": num_classes}, probabilities, trial)


def of_labels(num_labels: int) -> Kind:
    """Metrics of several labels for each sample."""
    targets = (torch.arange(4)[:, None] + torch.arange(num_labels)) % 2
    return Kind("Multilabel", {"num_labels": num_labels}, torch.Tensor.float, (targets.float(), targets))


def of_numbers(num_targets: int) -> Kind:
    """Metrics of a regression."""
    shape = (8, num_targets) if num_targets > 1 else (8,)
    targets = 1 + torch.arange(8.0 * num_targets).view(shape) % 5
    return Kind("", {}, torch.Tensor.float, (targets + 0.1, targets))
