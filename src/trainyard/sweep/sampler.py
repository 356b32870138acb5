"""A sampler whose draws for a trial depend on the seed, its number and earlier results, not on the process."""

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from trainyard.config.instantiate import instantiate
from trainyard.sweep.space import Space

ONE_SEQUENCE = ("GridSampler", "QMCSampler")  # their seed is the same for all trials
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


def make_sampler(node: DictConfig, space: Space) -> BaseSampler:
    """The sampler that the config chose; UserError for one that cannot search this space."""
    kind = str(node._target_).rpartition(".")[2]
    more = {"search_space": space.grid()} if kind == "GridSampler" else {}

    def make(seed: int) -> BaseSampler:
        return instantiate(node, f"hydra/sweeper/sampler ({kind})", seed=seed, **more)

    return make(node.seed) if kind in ONE_SEQUENCE else ReseededSampler(make, node.seed)
