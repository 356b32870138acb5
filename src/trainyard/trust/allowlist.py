"""What the config of someone else's run may name: networks, datasets and the like of listed packages, no more."""

import os
from collections.abc import Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning import LightningDataModule, LightningModule
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainyard.errors import UserError, printable

PARTS = {  # groups of a config that build something: what that must be
    "model": nn.Module, "data": LightningDataModule, "task": LightningModule, "optimizer": Optimizer,
    "scheduler": LRScheduler,
}  # fmt: skip
PARTIAL = ("optimizer", "scheduler")  # built later, when their first argument exists
PACKAGES = (
    "trainyard.models", "trainyard.tasks", "trainyard.data", "trainyard.optim.muon", "torch.nn", "torch.optim",
    "torchvision.models",
)  # fmt: skip
SCHEDULES = "trainyard.optim.schedules"  # functions of ours
HARDWARE = {  # replaces the config's values, except precision and memory_format
    "accelerator": "auto", "devices": 1, "precision": "32-true", "memory_format": "contiguous", "compile": False,
    "deterministic": False, "matmul_precision": "high", "threads": None,
}  # fmt: skip
LIMITS = ("limit_val_batches", "limit_test_batches")
OTHER_MACHINE = {"root": None, "path": None, "cache": None, "num_workers": 0}  # of the data: another's mean nothing
KEYS = ("_target_", "_partial_")  # Hydra's own keys that are allowed
PLAIN = (str, int, float, bool, type(None))


def restrict(config: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """The part of someone else's config that may be used; UserError if it names code that is not allowed.

    Its folders, callbacks, loggers and hardware settings are ignored.
    """
    parts = {name: deepcopy(config.get(name)) for name in PARTS}
    for name, node in parts.items():
        if not isinstance(node, dict) or not isinstance(node.get("_target_"), str):
            raise UserError(f"{where}: its config has no {name} with a _target_")
        if bool(node.get("_partial_")) != (name in PARTIAL):
            raise _refusal(where, f"{name} must{'' if name in PARTIAL else ' not'} be partial")
        _check_values(node, name, where)
        _check_base_class(node["_target_"], name, where)
    data, task = parts["data"], parts["task"]
    if "num_classes" in task and task["num_classes"] != data.get("num_classes"):  # pyright: ignore
        raise _refusal(where, "task.num_classes differs from data.num_classes")
    data |= {name: value for name, value in OTHER_MACHINE.items() if name in data}  # pyright: ignore
    hardware, trainer = (config[name] if isinstance(config.get(name), dict) else {} for name in ("hardware", "trainer"))
    kept = {name: hardware[name] for name in ("precision", "memory_format") if isinstance(hardware.get(name), str)}
    limits = {name: trainer[name] if type(trainer.get(name)) in (int, float) else None for name in LIMITS}
    facts = {"hardware": HARDWARE | kept, "trainer": limits, "monitor": str(config.get("monitor"))}
    _check_values(facts, "config", where)
    return parts | facts


def import_allowed(name: Any, label: str, where: Path) -> Any:
    """What a target names; UserError unless it is a public class of the allowed packages, or a schedule of ours."""
    own = [package.strip() for package in os.environ.get("TRAINYARD_PACKAGES", "").split(",")]
    allowed = [*PACKAGES, SCHEDULES, *filter(None, own)]
    parts = str(name).split(".")
    if not any(str(name).startswith(f"{package}.") for package in allowed):
        raise _refusal(where, f"{label} is {printable(name)}, outside {', '.join(allowed)}")
    if any(not part.isidentifier() or part.startswith("_") for part in parts):
        raise _refusal(where, f"{label} is {printable(name)}, which is not a public name")
    try:
        found = getattr(import_module(".".join(parts[:-1])), parts[-1])
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{where}: {label} is {printable(name)}, which is not installed ({printable(error)})"
        ) from error
    home = f"{getattr(found, '__module__', '')}."
    is_schedule = home == f"{SCHEDULES}." and callable(found) and not isinstance(found, type)
    is_class = isinstance(found, type) and issubclass(found, tuple(PARTS.values()))
    if not (is_schedule or (is_class and any(home.startswith(f"{package}.") for package in allowed))):
        raise _refusal(where, f"{label} is {printable(name)}, not a network, dataset, task, optimizer or schedule")
    return found


def _check_values(node: Any, label: str, where: Path) -> None:
    """Raise UserError for whatever in a config could run or read more than it should."""
    if type(node) is dict:
        for key, value in node.items():
            if not isinstance(key, str) or (key.startswith("_") and key not in KEYS) or key == "device":
                raise _refusal(where, f"{label} has the key {printable(key)}")
            if key == "_target_":
                import_allowed(value, f"{label}._target_", where)
            _check_values(value, f"{label}.{key}", where)
    elif type(node) is list:
        for i, value in enumerate(node):
            _check_values(value, f"{label}.{i}", where)
    elif type(node) not in PLAIN:
        raise _refusal(where, f"{label} is {printable(node)}, which is not a plain value")
    elif isinstance(node, str) and "${" in node:
        raise _refusal(where, f"{label} is {printable(node)}, which would be interpolated here")


def _check_base_class(target: str, part: str, where: Path) -> None:
    """Raise UserError for a part of the config that would be something else: a task for a network."""
    found, base = import_allowed(target, f"{part}._target_", where), PARTS[part]
    is_schedule = part == "scheduler" and not isinstance(found, type)
    is_task = part == "model" and isinstance(found, type) and issubclass(found, LightningModule)
    if is_task or not (is_schedule or (isinstance(found, type) and issubclass(found, base))):
        raise _refusal(where, f"{part}._target_ is {printable(target)}, which is not a {base.__name__}")


def _refusal(where: Path, what: str) -> UserError:
    """The error for a config that is not the user's own."""
    return UserError(
        f"{where} was not made by you, so it is read as data, but {what}. If you trust its author, run its code with "
        "--trust (trust=true to resume it, or to begin a new run like it), or allow the packages that it needs: "
        "TRAINYARD_PACKAGES=one,two"
    )
