"""Runs that differ in their seed or fold alone as one group: mean, spread, best. Groups are ranked by validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from statistics import mean, stdev
from typing import Any

from trainyard.report.runs import Finished

Key = tuple[int, int | None]  # seed, fold


@dataclass(frozen=True)
class Statistics:
    """One score over a group's runs."""

    mean: float
    std: float | None  # the sample's; None for a single run
    best: float | None  # of the run that is best on validation
    count: int


@dataclass(frozen=True)
class Group:
    """The runs of one configuration by seed and fold."""

    runs: dict[Key, Finished]

    @property
    def first(self) -> Finished:
        """Any of the runs: network, data, metric and machine are the same in all."""
        return next(iter(self.runs.values()))

    @property
    def judged_on(self) -> str:
        """The split that groups are compared on: validation for folds and for runs that read no test set, else test."""
        tested = all(run.test is not None for run in self.runs.values())
        return "validation" if self.first.fold is not None or not tested else "test"

    def scores(self, split: str) -> dict[Key, float]:
        """The metric on a split by seed and fold."""
        values = {key: getattr(run, split) for key, run in self.runs.items()}
        return {key: value for key, value in values.items() if value is not None}

    def cost(self, score: float | None) -> float:
        """The score as a number of which the lowest is best; a missing one is the worst."""
        if score is None or isnan(score):
            return inf
        return score if self.first.lower_is_better else -score

    def statistics(self, split: str) -> Statistics | None:
        """The statistics of a split, over the runs that have its score; None if none has."""
        scores = self.scores(split)
        if not scores:
            return None
        values = list(scores.values())
        std = stdev(values) if len(values) > 1 and all(map(isfinite, values)) else None
        best = min(self.runs.values(), key=lambda run: self.cost(run.validation))
        return Statistics(mean(values), std, getattr(best, split), len(values))

    def average(self, name: str) -> float | None:
        """The mean of a number that every run has, without zeros, which were not measured."""
        values = [getattr(run, name) for run in self.runs.values() if getattr(run, name)]
        return mean(values) if values else None

    @property
    def over(self) -> str:
        """What the means are taken over: 3 seeds, 5 folds."""
        seeds, folds = ({key[i] for key in self.runs} for i in (0, 1))
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
    """Group runs; by data and metric, the best on validation first.

    The test score decides nothing: it would no longer be one of unseen data. Of two runs with the same seed and fold,
    the later counts.
    """
    groups: dict[Any, dict[Key, Finished]] = {}
    for run in runs:
        same = (*ranked_with(run), run.network, run.config, tuple(sorted(run.words)), run.machine)
        groups.setdefault(same, {})[run.seed, run.fold] = run
    ordered = [Group(dict(sorted(found.items(), key=lambda item: str(item[0])))) for found in groups.values()]
    return sorted(ordered, key=rank)


def ranked_with(run: Finished) -> tuple[str, str, bool]:
    """What runs have in common that are ranked among each other."""
    return run.data, run.metric, run.lower_is_better


def rank(each: Group) -> tuple[Any, ...]:
    """The key by which groups are sorted."""
    found = each.statistics("validation")
    return *ranked_with(each.first), each.cost(found.mean if found else None)


def differences(groups: Sequence[Group]) -> list[str]:
    """For each group, the overrides that not all groups have."""
    commands = [list(each.first.words) for each in groups]
    return [" ".join(word for word in words if not all(word in other for other in commands)) for words in commands]
