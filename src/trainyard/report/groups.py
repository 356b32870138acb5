"""Runs that differ in their seed or fold alone as one group: mean, spread, best."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import mean, stdev
from typing import Any

from trainyard.report.runs import Finished

LOWER_IS_BETTER = ("loss", "perplexity", "error")  # metrics
Key = tuple[int, int | None]  # seed, fold


@dataclass(frozen=True)
class Statistics:
    """One score over a group's runs."""

    mean: float
    std: float | None  # the sample's; None for a single run
    best: float
    count: int


@dataclass(frozen=True)
class Group:
    """The runs of one configuration by seed and fold."""

    runs: dict[Key, Finished]

    @property
    def first(self) -> Finished:
        """Any of the runs: network, data and machine are the same in all."""
        return next(iter(self.runs.values()))

    @property
    def lower_is_better(self) -> bool:
        """Whether a lower value of the metric is better."""
        return self.first.metric in LOWER_IS_BETTER

    @property
    def scale(self) -> int:
        """100 for a fraction, which is shown in percent, else 1."""
        return 1 if self.first.metric in ("loss", "perplexity") else 100

    @property
    def judged_on(self) -> str:
        """Validation for folds and for runs that did not read the test set, else test."""
        tested = all(run.test is not None for run in self.runs.values())
        return "validation" if self.first.fold is not None or not tested else "test"

    def scores(self, split: str = "") -> dict[Key, float]:
        """The metric on a split by seed and fold; by default on the split that the group is judged on."""
        values = {key: getattr(run, split or self.judged_on) for key, run in self.runs.items()}
        return {key: value for key, value in values.items() if value is not None}

    def statistics(self, split: str = "") -> Statistics | None:
        """The statistics of a split, over the runs that have its score; None if none has."""
        values = list(self.scores(split).values())
        if not values:
            return None
        best = min(values) if self.lower_is_better else max(values)
        std = stdev(values) if len(values) > 1 and all(map(isfinite, values)) else None
        return Statistics(mean(values), std, best, len(values))

    def average(self, name: str) -> float | None:
        """The mean of a number that every run has, without zeros, which were not measured."""
        values = [getattr(run, name) for run in self.runs.values() if getattr(run, name)]
        return mean(values) if values else None

    def over(self, split: str) -> str:
        """What a split's mean is taken over: 3 seeds, 5 folds."""
        seeds, folds = ({key[i] for key in self.scores(split)} for i in (0, 1))
        parts = [f"{len(folds)} fold{'s' if len(folds) > 1 else ''}"] if folds != {None} else []
        if len(seeds) > 1 or not parts:
            parts.append(f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}")
        return " x ".join(parts)

    @property
    def command(self) -> str:
        """The command that trains all its runs; for a trial of a sweep, its overrides."""
        seeds = sorted({seed for seed, _ in self.runs})
        folds = sorted({fold for _, fold in self.runs if fold is not None})
        words = [*self.first.words, *([f"data.fold={','.join(map(str, folds))}"] if folds else [])]
        many = ["-m"] if len(self.runs) > 1 else []
        start = "a trial of" if any(word.startswith("sweep=") for word in words) else "python train.py"
        return " ".join([start, *many, *words, f"seed={','.join(map(str, seeds))}"])


def group_runs(runs: Sequence[Finished]) -> list[Group]:
    """Group runs; by data, the best group first. Of two runs with the same seed and fold, the later counts."""
    groups: dict[Any, dict[Key, Finished]] = {}
    for run in runs:
        same = (run.data, run.network, run.config, tuple(sorted(run.words)), run.machine)
        groups.setdefault(same, {})[run.seed, run.fold] = run
    ordered = [Group(dict(sorted(found.items(), key=lambda item: str(item[0])))) for found in groups.values()]
    return sorted(ordered, key=rank)


def rank(each: Group) -> tuple[str, str, float]:
    """The key by which groups are sorted."""
    found = each.statistics()
    score = found.mean if found else float("inf")
    return each.first.data, each.first.metric, score if each.lower_is_better else -score


def differences(groups: Sequence[Group]) -> list[str]:
    """For each group, the overrides that not all groups have."""
    commands = [list(each.first.words) for each in groups]
    return [" ".join(word for word in words if not all(word in other for other in commands)) for words in commands]
