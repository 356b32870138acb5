"""A run directory from someone else is data: its config may name networks, data sets and the like, never other code."""

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

from trainyard.errors import UserError
from trainyard.reliability.plain import shown

PARTS = {  # of a config, what builds something: what that must be
    "model": nn.Module, "data": LightningDataModule, "task": LightningModule, "optimizer": Optimizer,
    "scheduler": LRScheduler,
}  # fmt: skip
PARTIAL = ("optimizer", "scheduler")  # built later, when their last argument is there
PACKAGES = ("trainyard.models", "trainyard.tasks", "trainyard.data", "torch.nn", "torch.optim", "torchvision.models")
SCHEDULES = "trainyard.optim.schedules"  # functions of ours
HARDWARE = {  # what is done here, whatever was there; but for the two that belong to the network
    "accelerator": "auto", "devices": 1, "precision": "32-true", "memory_format": "contiguous", "compile": False,
    "deterministic": False, "matmul_precision": "high", "threads": None,
}  # fmt: skip
LIMITS = ("limit_val_batches", "limit_test_batches")
HERE = {"root": None, "cache": None, "num_workers": 0}  # of the data: another machine's folders mean nothing here
KEYS = ("_target_", "_partial_")  # of Hydra's own, what may be said
PLAIN = (str, int, float, bool, type(None))


def as_data(config: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """What may be taken of a config that someone else wrote; UserError if it names other code than ours and torch's.

    Its folders are left out, and its callbacks, loggers and what it says of the machine too.
    """
    parts = {name: deepcopy(config.get(name)) for name in PARTS}
    for name, node in parts.items():
        if not isinstance(node, dict) or not isinstance(node.get("_target_"), str):
            raise UserError(f"{where}: its config has no {name} with a _target_")
        if bool(node.get("_partial_")) != (name in PARTIAL):
            raise refused(where, f"{name} is{'' if name in PARTIAL else ' not'} to be partial")
        check(node, name, where)
        check_kind(node["_target_"], name, where)
    data, task = parts["data"], parts["task"]
    if "num_classes" in task and task["num_classes"] != data.get("num_classes"):  # pyright: ignore
        raise refused(where, "task.num_classes is not data.num_classes")
    data |= {name: value for name, value in HERE.items() if name in data}  # pyright: ignore
    hardware, trainer = (config[name] if isinstance(config.get(name), dict) else {} for name in ("hardware", "trainer"))
    asked = {name: hardware[name] for name in ("precision", "memory_format") if isinstance(hardware.get(name), str)}
    limits = {name: trainer[name] for name in LIMITS if type(trainer.get(name)) in (int, float)}
    facts = {"hardware": HARDWARE | asked, "trainer": limits, "monitor": str(config.get("monitor"))}
    check(facts, "config", where)
    return parts | facts


def check(node: Any, label: str, where: Path) -> None:
    """UserError for whatever in a config could run or read more than it should."""
    if type(node) is dict:
        for key, value in node.items():
            if not isinstance(key, str) or (key.startswith("_") and key not in KEYS) or key == "device":
                raise refused(where, f"{label} has the key {shown(key)}")
            if key == "_target_":
                found_class(value, f"{label}._target_", where)
            check(value, f"{label}.{key}", where)
    elif type(node) is list:
        for i, value in enumerate(node):
            check(value, f"{label}.{i}", where)
    elif type(node) not in PLAIN:
        raise refused(where, f"{label} is {shown(node)}, which is no plain value")
    elif isinstance(node, str) and "${" in node:
        raise refused(where, f"{label} is {shown(node)}, which would be looked up here")


def check_kind(target: str, part: str, where: Path) -> None:
    """UserError for a part of the config that would be something else: a task for a network."""
    found, base = found_class(target, f"{part}._target_", where), PARTS[part]
    is_schedule = part == "scheduler" and not isinstance(found, type)
    other = part == "model" and isinstance(found, type) and issubclass(found, LightningModule)
    if other or not (is_schedule or (isinstance(found, type) and issubclass(found, base))):
        raise refused(where, f"{part}._target_ is {shown(target)}, which is no {base.__name__}")


def found_class(name: Any, label: str, where: Path) -> Any:
    """What a target names; UserError unless it is a public class of the allowed packages, or a schedule of ours."""
    own = [package.strip() for package in os.environ.get("TRAINYARD_PACKAGES", "").split(",")]
    allowed = [*PACKAGES, SCHEDULES, *filter(None, own)]
    parts = str(name).split(".")
    if not any(str(name).startswith(f"{package}.") for package in allowed):
        raise refused(where, f"{label} is {shown(name)}, outside {', '.join(allowed)}")
    if any(not part.isidentifier() or part.startswith("_") for part in parts):
        raise refused(where, f"{label} is {shown(name)}, which is not a public name")
    try:
        found = getattr(import_module(".".join(parts[:-1])), parts[-1])
    except (ImportError, AttributeError) as error:
        raise UserError(f"{where}: {label} is {shown(name)}, which is not here ({shown(error)})") from error
    home = f"{getattr(found, '__module__', '')}."
    is_ours = home == f"{SCHEDULES}." and callable(found) and not isinstance(found, type)
    is_class = isinstance(found, type) and issubclass(found, tuple(PARTS.values()))
    if not (is_ours or (is_class and any(home.startswith(f"{package}.") for package in allowed))):
        raise refused(where, f"{label} is {shown(name)}, which is no network, data set, task, optimizer or schedule")
    return found


def refused(where: Path, what: str) -> UserError:
    """What to say of a config that is not ours."""
    return UserError(
        f"{where} was not made by you, so it is read as data, but {what}. If you know where it comes from, run it as "
        "code with --trust (trust=true when it is resumed), or list the packages it needs: TRAINYARD_PACKAGES=one,two"
    )
