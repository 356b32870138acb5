"""A sampler whose draws for a trial depend on the seed, its number and earlier results, not on the process."""

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from trainyard.config.instantiate import instantiate
from trainyard.errors import UserError
from trainyard.sweep.space import MAX_POINTS, Space
from trainyard.sweep.trials import counted_trials

ONE_SEQUENCE = "QMCSampler"  # its seed is the same for all trials
PRIME = 1_000_003


class ReseededSampler(BaseSampler):
    """Reseed the sampler for every trial, so that an interrupted sweep draws what an uninterrupted one draws."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self.make, self.seed = make, seed
        self.inner = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.inner = self.make((self.seed + PRIME * trial.number) % 2**31)
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        self.inner.after_trial(study, trial, state, values)


class PointSampler(BaseSampler):
    """Every combination once, in the order in which the values are given."""

    def __init__(self, points: list[dict[str, Any]]) -> None:
        self.points = points
        self.point: dict[str, Any] = {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        tried = [other.params for other in counted_trials(study) if other.number != trial.number]
        self.point = next((point for point in self.points if point not in tried), self.points[0])

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.point[param_name]


def make_sampler(node: DictConfig, space: Space) -> BaseSampler:
    """The sampler that the config chose; UserError for one that cannot search this space."""
    kind = str(node._target_).rpartition(".")[2]
    if kind == PointSampler.__name__:
        return PointSampler(all_points(space))

    def make(seed: int) -> BaseSampler:
        return instantiate(node, f"hydra/sweeper/sampler ({kind})", seed=seed)

    return make(node.seed) if kind == ONE_SEQUENCE else ReseededSampler(make, node.seed)


def all_points(space: Space) -> list[dict[str, Any]]:
    """Every combination; UserError if there are infinitely, or too, many."""
    parts = space.parameters.values()
    if continuous := [name for part in parts if part.values() is None for name in part.names]:
        raise UserError(
            f"hydra/sweeper/sampler=grid tries every value, and {continuous[0]} is an interval; write it as "
            "choice(...) or range(...), or use another sampler (sweep=search has tpe)"
        )
    points = space.points()
    if points is None:
        raise UserError(
            f"hydra/sweeper/sampler=grid tries every value, and there are more than {MAX_POINTS:,} combinations; "
            "sweep=search draws some of them"
        )
    return points
