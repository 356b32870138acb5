"""Compare configurations with a paired bootstrap over the seeds and folds that both have.

Efron & Tibshirani, An Introduction to the Bootstrap (1993). With few pairs it is unreliable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainyard.report.groups import Group

RESAMPLES = 10_000
MIN_PAIRS = 2


@dataclass(frozen=True)
class Comparison:
    """`better` minus `other`, over pairs of runs with the same seed and fold."""

    better: int  # index of a group
    other: int
    pairs: int
    difference: float  # of the means
    low: float  # of the 95 % interval
    high: float
    p: float  # fraction of resamples in which `better` is not the better one


def compare(groups: Sequence[Group]) -> list[Comparison]:
    """Compare the best group of each dataset and metric with the others that share seeds or folds with it."""
    found = []
    for i, other in enumerate(groups):
        best = next(j for j, each in enumerate(groups) if comparable(each, other))
        ours, theirs = groups[best].scores(), other.scores()
        shared = sorted(ours.keys() & theirs.keys(), key=str)
        if best == i or len(shared) < MIN_PAIRS:
            continue
        first, second = (np.array([scores[key] for key in shared]) for scores in (ours, theirs))
        sign = -1 if other.lower_is_better else 1
        low, high, p = bootstrap(sign * (first - second))
        low, high = sorted((sign * low, sign * high))
        found.append(Comparison(best, i, len(shared), float((first - second).mean()), low, high, p))
    return found


def comparable(one: Group, other: Group) -> bool:
    """Whether two groups are judged by the same score on the same data."""
    return all(getattr(one.first, name) == getattr(other.first, name) for name in ("data", "metric")) and (
        one.judged_on == other.judged_on
    )


def bootstrap(differences: np.ndarray) -> tuple[float, float, float]:
    """The bounds of the mean's 95 % interval, and the fraction of resamples whose mean is not above 0."""
    drawn = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
    means = differences[drawn].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high), float((means <= 0).mean())
