"""A run directory from someone else is data: its config may name networks, data sets and the like, never other code."""

import os
from collections.abc import Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from lightning import LightningDataModule, LightningModule
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainyard.errors import UserError

PARTS = ("model", "data", "task", "optimizer", "scheduler")  # of a config, what builds something
FACTS = ("hardware", "trainer", "seed", "monitor", "mode", "run")  # plain values are all that is taken of these
PLACES = ("root", "cache")  # of the data: another machine's folders mean nothing here
ALLOWED = {
    "trainyard.models": (nn.Module,), "trainyard.tasks": (LightningModule,), "trainyard.data": (LightningDataModule,),
    "torch.nn": (nn.Module,), "torchvision.models": (nn.Module,), "torchvision.ops": (nn.Module,),
    "torch.optim": (Optimizer, LRScheduler),
}  # fmt: skip
ANY = tuple({base for bases in ALLOWED.values() for base in bases})
SCHEDULES = "trainyard.optim.schedules"  # functions of ours
LARGEST = 1 << 20  # bytes of a config
KEYS = ("_target_", "_partial_")  # of Hydra's own, what may be said


class NoAliases(yaml.SafeLoader):
    """YAML's plain values; no node that stands for another, with which a few lines grow to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it holds an alias (*name)")
        return super().compose_node(parent, index)


def read_config(file: Path) -> dict[str, Any]:
    """A config file as plain values; UserError for anything else, whatever it is."""
    try:
        if (size := file.stat().st_size) > LARGEST:
            raise ValueError(f"it has {size:,} bytes, and a config at most {LARGEST:,}")
        config = yaml.load(file.read_text(encoding="utf-8"), NoAliases)  # a SafeLoader
        if not isinstance(config, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} is not a run's config: {' '.join(str(error).split())}") from error
    return config


def as_data(config: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """What may be taken of a config that someone else wrote; UserError if it names other code than ours and torch's.

    Its folders are left out, its callbacks and loggers too.
    """
    parts: dict[str, Any] = {name: deepcopy(config.get(name)) for name in PARTS}
    for name, node in parts.items():
        if not isinstance(node, dict) or "_target_" not in node:
            raise UserError(f"{where}: its config has no {name} with a _target_")
        check(node, name, where)
    facts = {name: plain(config[name]) for name in FACTS if name in config}
    check(facts, "config", where)
    parts["data"] |= dict.fromkeys((key for key in PLACES if key in parts["data"]), None)
    return parts | facts


def check(node: Any, label: str, where: Path) -> None:
    """UserError for whatever in a config could run or read more than it should."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if not isinstance(key, str) or (key.startswith("_") and key not in KEYS):
                raise refused(where, f"{label} has the key {key}")
            if key == "_target_":
                check_target(value, f"{label}._target_", where)
            check(value, f"{label}.{key}", where)
    elif isinstance(node, list):
        for i, value in enumerate(node):
            check(value, f"{label}.{i}", where)
    elif isinstance(node, str) and "${" in node:
        raise refused(where, f"{label} is {node}, which would be looked up here")


def check_target(name: Any, label: str, where: Path) -> None:
    """UserError for a target that is no class of the allowed packages, derived from what they are for."""
    parts = str(name).split(".")
    own = {package: ANY for package in os.environ.get("TRAINYARD_PACKAGES", "").split(",") if package}
    allowed = ALLOWED | own
    bases = next((allowed[package] for package in allowed if str(name).startswith(f"{package}.")), None)
    if bases is None and str(name).rpartition(".")[0] != SCHEDULES:
        raise refused(where, f"{label} is {name}, outside {', '.join([*allowed, SCHEDULES])}")
    if any(not part.isidentifier() or part.startswith("_") for part in parts):
        raise refused(where, f"{label} is {name}, which is not a public name")
    try:
        found = getattr(import_module(".".join(parts[:-1])), parts[-1])
    except (ImportError, AttributeError) as error:
        raise UserError(f"{where}: {label} is {name}, which is not here ({error})") from error
    home = f"{getattr(found, '__module__', '')}."
    if bases is None:
        good = callable(found) and not isinstance(found, type) and home == f"{SCHEDULES}."
    else:
        good = isinstance(found, type) and issubclass(found, bases)
        good = good and any(home.startswith(f"{package}.") for package in allowed)
    if not good:
        raise refused(where, f"{label} is {name}, which is no network, data set, task or optimizer")


def plain(value: Any) -> Any:
    """A value without what is deeper than one mapping, and without targets."""
    if not isinstance(value, Mapping):
        return value if isinstance(value, str | int | float | bool | None) else None
    return {key: item for key, item in value.items() if isinstance(item, str | int | float | bool | None)
            and not str(key).startswith("_")}  # fmt: skip


def refused(where: Path, what: str) -> UserError:
    """What to say of a config that is not ours."""
    return UserError(
        f"{where} was not made by you, so it is read as data, but {what}. If you know where it comes from, run it as "
        "code with --trust (trust=true when it is resumed), or list the packages it needs: TRAINYARD_PACKAGES=one,two"
    )
