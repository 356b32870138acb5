"""One line about each run: what it is, how it ended, how well it did, how large it is."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Any

from trainyard.catalog.block_yaml import read_lines
from trainyard.catalog.scan import Found, scan
from trainyard.catalog.states import DAMAGED, pruned_trials, state_of
from trainyard.durability.run_lock import is_locked
from trainyard.errors import printable
from trainyard.files import read_small
from trainyard.trust.signature import CHOICES, RESOLVED


@dataclass(frozen=True)
class Entry:
    """A run as it is listed."""

    path: Path
    state: str
    problem: str  # why it failed, or what is damaged; else empty
    metric: str  # that was monitored: val/accuracy
    lower_is_better: bool
    score: float | None  # of the best epoch
    test: float | None  # of the same metric
    model: str  # the chosen option
    data: str
    size: int  # bytes
    age: float  # seconds since its newest file was written
    found: Found
    scores: dict[str, float]  # of validation in the best epoch, and of the test; empty while it trains

    @cached_property
    def keys(self) -> dict[str, str]:
        """The values of its config as text, and the choices of its groups, which --where compares."""
        return {**_lines(self.path / RESOLVED), **_lines(self.path / CHOICES)}

    @property
    def cost(self) -> float:
        """The score as a number of which the lowest is best; infinite without one."""
        if self.score is None or isnan(self.score):
            return inf
        return self.score if self.lower_is_better else -self.score


def entries(roots: Iterable[Path]) -> list[Entry]:
    """The runs at or below the folders, each once."""
    pruned_trials.cache_clear()
    found = {each.path: each for root in roots for each in scan(root)}
    return [read_entry(each) for each in found.values()]


def read_entry(found: Found, in_use: bool | None = None) -> Entry:
    """The line about one run; whatever its files contain, this raises nothing. `in_use`: by another process."""
    path, config, chosen = found.path, *(_lines(found.path / name) for name in (RESOLVED, CHOICES))
    summary, broken = _summary(path)
    state, problem = state_of(path, bool(summary), is_locked(path) if in_use is None else in_use, found.changed)
    if "_target_" not in {key.rpartition(".")[2] for key in config}:
        state, problem = DAMAGED, f"its {RESOLVED} is not a config"
    elif broken:
        state, problem = DAMAGED, broken
    metric = str(summary.get("monitor") or config.get("monitor") or "")
    test = summary.get("test")
    name = metric.partition("/")[2]
    return Entry(
        path, state, printable(problem, 300), printable(metric), config.get("mode") == "min",
        _number(summary.get("score")), _number(test.get(f"test/{name}") if isinstance(test, dict) else None),
        printable(_choice("model", config, chosen)), printable(_choice("data", config, chosen)),
        found.size, max(0.0, time.time() - found.changed), found, _scores(summary),
    )  # fmt: skip


def sort(listed: Sequence[Entry], by: str) -> list[Entry]:
    """The newest, the largest or the best first (of each metric); by name from a to z."""
    keys: dict[str, Any] = {
        "age": lambda each: each.age,
        "size": lambda each: -each.size,
        "name": lambda each: str(each.path),
        "score": lambda each: (each.metric == "", each.metric, each.cost),
    }
    return sorted(listed, key=keys[by])


def _choice(group: str, config: dict[str, str], chosen: dict[str, str]) -> str:
    """The option that was chosen, or without one the name of the class."""
    return chosen.get(group) or config.get(f"{group}._target_", "").rpartition(".")[2]


def _summary(path: Path) -> tuple[dict[str, Any], str]:
    """summary.json, and what is wrong with it; both empty without one."""
    file = path / "summary.json"
    try:
        content = json.loads(read_small(file))
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, RecursionError):
        return {}, "its summary.json cannot be read"
    return (content, "") if isinstance(content, dict) else ({}, "its summary.json is not a mapping")


def _scores(summary: dict[str, Any]) -> dict[str, float]:
    parts = [part for name in ("best", "test") if isinstance(part := summary.get(name), dict)]
    found = {printable(name): _number(value) for part in parts for name, value in part.items()}
    return {name: value for name, value in found.items() if value is not None}


def _lines(file: Path) -> dict[str, str]:
    try:
        return read_lines(file)
    except (OSError, ValueError):
        return {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and (isfinite(value) or isinstance(value, float)) else None
