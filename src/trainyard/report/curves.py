"""What a run logged over its course, as series of numbers that can be drawn."""

from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from trainyard.errors import printable
from trainyard.loggers.metrics_lines import read_metrics, usual_name
from trainyard.report.runs import MAX_METRICS

Series = tuple[list[float], list[float]]  # x, y
LARGEST = 1e30  # a number beyond it is not drawn
MAX_POINTS = 1000  # of a series; of more, every second, third ... is drawn
MAX_NAMES = 200
FIRST = ("loss",)  # panels, after that of the monitored metric


def read_series(folder: Path, x: str = "epoch") -> dict[str, Series]:
    """The series of a run's metrics.jsonl by name, over `x`: epoch (counted from 1) or step.

    Where a name was logged several times in an epoch, it is over steps anyway. OSError for a file that is too large.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in read_metrics(folder, MAX_METRICS):
        for logged, value in row.items():
            name = usual_name(logged)
            if name in ("step", "time", "epoch") or not _is_number(value):
                continue
            if len(found) < MAX_NAMES or name in found:
                step, epoch = (row.get(key) if _is_number(row.get(key)) else 0 for key in ("step", "epoch"))
                found.setdefault(name, []).append((float(step or 0), float(epoch or 0) + 1, float(value)))
    series = {}
    for name, points in found.items():
        shown = points[:: -(-len(points) // MAX_POINTS)]
        place = 1 if x == "epoch" else 0
        series[printable(name, 60)] = ([point[place] for point in shown], [point[2] for point in shown])
    return series


def over(folders: Iterable[Path]) -> str:
    """What the curves of these runs can be drawn over: epoch, or step if one was validated within epochs."""
    for folder in folders:
        for name, (epochs, _) in read_series(folder).items():
            if name.startswith("val/") and len(set(epochs)) < len(epochs):
                return "step"
    return "epoch"


def panels_of(series: Iterable[dict[str, Series]], monitor: str = "", most: int = 6) -> list[str]:
    """The metrics that were logged for validation, the monitored one first; else those of the training."""
    names = [name for each in series for name in each]
    for split in ("val/", "train/"):
        shown = list(dict.fromkeys(name.removeprefix(split) for name in names if name.startswith(split)))
        if shown:
            first = (monitor.partition("/")[2], *FIRST)
            return sorted(shown, key=lambda name: first.index(name) if name in first else len(first))[:most]
    return []


def rates_and_losses(steps: dict[str, Series]) -> tuple[dict[str, Series], dict[str, Series]]:
    """Of the series over steps, the learning rates by group of weights, and the losses."""
    rates = {name.removeprefix("lr/"): found for name, found in steps.items() if name.startswith("lr/")}
    return rates, {name: steps[name] for name in ("train/loss", "val/loss") if name in steps}


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (isinstance(value, int) or isfinite(value)) and abs(value) < LARGEST
