"""Losses by name. Each takes what a network returns and its targets, and returns a loss for each sample."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.errors import did_you_mean

Loss = Callable[..., Tensor]


def class_probabilities(labels: Tensor, num_classes: int) -> Tensor:  # (B) or (B, num_classes) -> (B, num_classes)
    """Labels as probabilities; class indices become ones and zeros."""
    if labels.ndim == 2:
        return labels
    return (labels[:, None] == torch.arange(num_classes, device=labels.device)).float()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:  # (B, classes), (B) or (B, classes) -> (B)
    """The cross-entropy of the softmax."""
    return F.cross_entropy(logits, labels, reduction="none")


def focal(logits: Tensor, labels: Tensor, gamma: float = 2.0) -> Tensor:  # (B, classes), (B) or (B, classes) -> (B)
    """Cross-entropy in which samples that are right already count little (Lin et al., 2017): (1 - p)^gamma times it.

    Their factor alpha is `class_weights`. With gamma 0 it is the cross-entropy.
    """
    chances = logits.float().log_softmax(dim=1)
    return -(class_probabilities(labels, logits.shape[1]) * (1 - chances.exp()) ** gamma * chances).sum(dim=1)


def bce(logits: Tensor, targets: Tensor) -> Tensor:  # (B, labels) each -> (B)
    """The binary cross-entropy of each label, averaged over the labels."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1)


def binary_focal(logits: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:  # (B, labels) each -> (B)
    """The focal loss (Lin et al., 2017) of each label, averaged over the labels."""
    wrong = (logits.sigmoid() - targets).abs()
    return (F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * wrong**gamma).mean(dim=1)


def mse(outputs: Tensor, targets: Tensor) -> Tensor:  # (B, ...) each -> (B), as all below
    """The squared error."""
    return F.mse_loss(outputs, targets, reduction="none").flatten(1).mean(dim=1)


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """The absolute error."""
    return F.l1_loss(outputs, targets, reduction="none").flatten(1).mean(dim=1)


def huber(outputs: Tensor, targets: Tensor, delta: float = 1.0) -> Tensor:
    """Squared up to an error of delta, linear above it (Huber, 1964)."""
    return F.huber_loss(outputs, targets, reduction="none", delta=delta).flatten(1).mean(dim=1)


def log_cosh(outputs: Tensor, targets: Tensor) -> Tensor:
    """The logarithm of the error's hyperbolic cosine, which is smooth everywhere."""
    size = (outputs - targets).abs()
    return (size + F.softplus(-2 * size) - log(2)).flatten(1).mean(dim=1)


def quantile(outputs: Tensor, targets: Tensor, q: float = 0.5) -> Tensor:
    """The loss whose minimum is the quantile q of the target (Koenker & Bassett, 1978)."""
    error = targets - outputs
    return torch.maximum(q * error, (q - 1) * error).flatten(1).mean(dim=1)


OF_CLASSES: Mapping[str, Loss] = {"cross_entropy": cross_entropy, "focal": focal}
OF_LABELS: Mapping[str, Loss] = {"bce": bce, "focal": binary_focal}
OF_NUMBERS: Mapping[str, Loss] = {"mse": mse, "mae": mae, "huber": huber, "log_cosh": log_cosh, "quantile": quantile}
TASKS = {"classification": OF_CLASSES, "multilabel": OF_LABELS, "regression": OF_NUMBERS}  # where a loss belongs


def make_loss(given: Any, known: Mapping[str, Loss]) -> Loss:
    """The loss that `given` names: one of `known`, {name: {argument: value}}, or any callable, which is returned.

    ValueError for any other name, and for arguments that the loss does not have.
    """
    if isinstance(given, nn.Module) and any(True for _ in given.parameters()):
        raise ValueError(f"task.loss={type(given).__name__} has weights of its own, which no optimizer would train")
    if callable(given):
        found: Any = given
        return found
    is_pair = isinstance(given, Mapping) and len(given) == 1
    key, arguments = next(iter(given.items())) if is_pair else (given, None)
    name = str(key)
    if name not in known:
        raise ValueError(f"task.loss={name} is unknown here.{hint(name, known)}")
    taken = list(signature(known[name]).parameters)[2:]
    if wrong := [key for key in arguments or {} if key not in taken]:
        raise ValueError(f"task.loss: {name} takes no argument {wrong[0]}; it takes {', '.join(taken) or 'none'}")
    return partial(known[name], **arguments) if arguments else known[name]


def hint(name: str, known: Mapping[str, Loss]) -> str:
    """Which losses there are, and where the one that is named belongs."""
    elsewhere = [f" It is a loss of task={task}." for task, losses in TASKS.items() if name in losses]
    near = elsewhere[0] if elsewhere else did_you_mean(name, known)
    return f"{near} There are {', '.join(known)}; any other is {{_target_: ...}}, called with (outputs, targets)"


def mean_loss(losses: Tensor, count: int) -> Tensor:
    """The mean of a batch's losses, (B) or a mean already, (); ValueError for any other shape."""
    if losses.ndim and losses.shape[0] != count:
        raise ValueError(f"task.loss returns {tuple(losses.shape)} for {count} samples; it should be () or ({count},)")
    return losses.mean()
