"""Compare configurations with a paired bootstrap over the seeds and folds that both have.

Efron & Tibshirani, An Introduction to the Bootstrap (1993). With few pairs it is unreliable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainyard.report.groups import Group, ranked_with

RESAMPLES = 10_000
MIN_PAIRS = 2
ENOUGH_PAIRS = 5  # with fewer, neither interval nor p means anything


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a mean difference."""

    low: float
    high: float
    p: float  # fraction of resamples in which `better` is not the better one


@dataclass(frozen=True)
class Comparison:
    """`better` minus `other`, over pairs of runs with the same seed and fold."""

    better: int  # index of the group that is best on validation
    other: int
    split: str
    pairs: int
    difference: float  # of the means
    interval: Interval | None  # None for too few pairs


def compare(groups: Sequence[Group]) -> list[Comparison]:
    """Compare the group that is best on validation, of each dataset and metric, with those that share seeds or folds.

    The scores that are compared are those on the test set where both groups have them.
    """
    found = []
    for i, other in enumerate(groups):
        best = next(j for j, each in enumerate(groups) if ranked_with(each.first) == ranked_with(other.first))
        split = "test" if groups[best].judged_on == other.judged_on == "test" else "validation"
        ours, theirs = groups[best].scores(split), other.scores(split)
        shared = sorted(ours.keys() & theirs.keys(), key=str)
        if best == i or len(shared) < MIN_PAIRS:
            continue
        first, second = (np.array([scores[key] for key in shared]) for scores in (ours, theirs))
        sign = -1 if other.first.lower_is_better else 1
        interval = bootstrap(first - second, sign) if len(shared) >= ENOUGH_PAIRS else None
        found.append(Comparison(best, i, split, len(shared), float((first - second).mean()), interval))
    return found


def bootstrap(differences: np.ndarray, sign: int = 1) -> Interval:
    """The 95 % interval of the mean; p is the fraction of resamples whose mean does not have the `sign`."""
    drawn = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
    means = differences[drawn].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(low), float(high), float((sign * means <= 0).mean()))
