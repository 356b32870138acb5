"""What a schedule or an optimizer needs, as its signature and its attributes tell."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any


def is_stepped_every_batch(schedule: Callable[..., Any]) -> bool:
    """Whether it counts batches: it takes `total_steps`. Any other counts epochs."""
    return "total_steps" in signature(schedule).parameters


def needs_length(schedule: Callable[..., Any]) -> bool:
    """Whether every value of it depends on the run's length: it demands `total_steps`."""
    parameter = signature(schedule).parameters.get("total_steps")
    return parameter is not None and parameter.default is Parameter.empty


def splits_hidden(optimizer: Callable[..., Any]) -> bool:
    """Whether it treats hidden matrices in another way than all else: its class has `splits_hidden`, as Muon."""
    return bool(getattr(getattr(optimizer, "func", optimizer), "splits_hidden", False))


def has_modes(optimizer: Callable[..., Any]) -> bool:
    """Whether it has `train` and `eval`, as those of schedulefree: it trains other weights than it means."""
    made = getattr(optimizer, "func", optimizer)
    return all(callable(getattr(made, name, None)) for name in ("train", "eval"))


def check_closure(optimizer: Callable[..., Any]) -> None:
    """Raise ValueError for an optimizer whose `step` demands a closure, such as LBFGS."""
    made = getattr(optimizer, "func", optimizer)
    step = signature(made.step).parameters if hasattr(made, "step") else {}
    if "closure" in step and step["closure"].default is Parameter.empty:
        raise ValueError(
            f"{made.__name__} computes the loss several times in a step (its step demands a closure), and a training "
            "here computes it once, with its meters and random numbers; choose another optimizer"
        )
