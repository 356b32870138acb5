"""A trial as a training: its overrides, its run directory, its outcome."""

from pathlib import Path

import optuna
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from trainyard.config_keys import FIXED_ON_RESUME, flatten
from trainyard.cores import available_cores
from trainyard.loggers.metrics_lines import last_score
from trainyard.runs.directory import RESOLVED
from trainyard.sweep.options import Options
from trainyard.sweep.outcome import MAX_ATTEMPTS, PRUNED_AT, Outcome, read_outcome
from trainyard.sweep.sampler import all_points
from trainyard.sweep.space import Space, quote
from trainyard.sweep.storage import is_file
from trainyard.trust.safe_yaml import read_config

PASSED_ON = ("hydra.sweeper.", "hydra/sweeper")  # words for Hydra that a trial's process needs
FEW = 3  # trials; the failure rate of fewer is not checked


class TrialRuns:
    """What all trials of a sweep share."""

    def __init__(self, options: Options, config: DictConfig, space: Space) -> None:
        self.options, self.space = options, space
        self.outcomes: list[Outcome] = []
        objective = next(iter(options.objectives))
        self.monitor = objective if objective.startswith("val") else None  # others have no intermediate values
        points = [] if options.is_search else all_points(space)
        self.places = {repr(sorted(point.items())): i for i, point in enumerate(points)}
        self.common = [*space.fixed, "trainer.enable_progress_bar=false"]
        if options.execution == "process":  # a launcher's jobs have them from the sweep
            words = list(config.hydra.overrides.hydra)
            self.common += [word for word in words if word.lstrip("+~").startswith(PASSED_ON)]
        devices = config.hardware.devices
        self.devices: int = devices if isinstance(devices, int) else 1  # of a trial; auto is all that its slot has
        shares = options.is_search or options.execution == "process"  # a launcher may have a machine for each job
        if options.n_jobs > 1 and shares and config.hardware.threads is None:
            self.common.append(f"hardware.threads={max(1, available_cores() // (options.n_jobs * self.devices))}")

    def overrides(self, trial: FrozenTrial) -> list[str]:
        """The overrides of a trial's training."""
        words = [*self.common, *self.space.overrides(trial.params), f"run.dir={quote(str(self.folder(trial)))}"]
        if self.options.execution == "launcher":
            words += [
                f"hydra.sweep.dir={quote(str(self.options.folder))}",
                f"hydra.sweep.subdir={self.folder(trial).name}",
            ]
        words += self._kept(trial)
        if not self.options.is_search:
            return words
        if is_file(self.options.location):  # a URL may contain a password, which no run may write to a file
            words.append(f"callbacks.pruning.storage={quote(self.options.location)}")
        return [
            *words,
            f"callbacks.pruning.monitor={quote(self.monitor)}",
            f"callbacks.pruning.study={quote(self.options.study)}",
            f"callbacks.pruning.trial={trial.number}",
        ]

    def _kept(self, trial: FrozenTrial) -> list[str]:
        """What a trial that is continued keeps, whatever the sweep says now: the number of threads, say."""
        file = self.folder(trial) / RESOLVED
        started = flatten(read_config(file)) if file.is_file() else {}
        return [f"{key}={quote(started[key])}" for key in FIXED_ON_RESUME if key in started]

    def refit_overrides(self, trial: FrozenTrial, folder: Path, seed: int) -> list[str]:
        """The overrides of a training of the same config outside of the study, with another seed and a test."""
        words = [word for word in self.common if not word.startswith(("seed=", "test="))]
        params = self.space.overrides(trial.params)
        return [*words, *params, f"run.dir={quote(str(folder))}", f"seed={seed}", "test=true"]

    def folder(self, trial: FrozenTrial) -> Path:
        """The trial's run directory; that of a job is named by its place among all combinations."""
        return self.options.folder / f"{self.number(trial):04d}"

    def number(self, trial: FrozenTrial) -> int:
        """The number of a trial, or of the job: its place among all combinations."""
        return self.places.get(repr(sorted(trial.params.items())), trial.number)

    def progress(self, trial: FrozenTrial) -> tuple[int, float] | None:
        """How far it is and its latest score: after how many validations of a trial, in which epoch of a job."""
        if not self.options.is_search:
            latest = last_score(self.folder(trial), next(iter(self.options.objectives)))
            return (latest[0] + 1, latest[1]) if latest else None  # what is printed counts from 1
        latest = max(trial.intermediate_values, default=None)
        return None if latest is None else (latest, trial.intermediate_values[latest])

    def log(self, trial: FrozenTrial) -> Path:
        """The file of what its process prints."""
        return self.folder(trial).with_suffix(".log")

    def outcome(self, study: optuna.Study, trial: FrozenTrial, code: int, error: str = "") -> Outcome:
        """What became of a trial whose process ended with `code`; `error` is what is known besides."""
        pruned_at = study.trials[trial.number].user_attrs.get(PRUNED_AT)
        objectives = list(self.options.objectives)
        outcome = read_outcome(self.folder(trial), code, error, self.log(trial), objectives, pruned_at)
        self.outcomes.append(outcome)
        return outcome

    def fatal_outcome(self, trial: FrozenTrial) -> Outcome:
        """What is recorded of a trial in each of whose attempts the process that ran it died."""
        reason = f"the sweep or its machine died in {MAX_ATTEMPTS} attempts without progress; see {self.log(trial)}"
        self.outcomes.append(Outcome(TrialState.FAIL, reason=reason))
        return self.outcomes[-1]

    def failure_message(self) -> str:
        """Return an error message if the failure rate exceeds `max_failure_rate`, else an empty string."""
        failed = [outcome.reason for outcome in self.outcomes if outcome.state == TrialState.FAIL]
        if len(self.outcomes) < FEW or len(failed) <= self.options.max_failure_rate * len(self.outcomes):
            return ""
        rate = f"hydra.sweeper.max_failure_rate={self.options.max_failure_rate}"
        return f"{len(failed)} of {len(self.outcomes)} {self.options.noun}s failed, more than {rate}: {failed[-1]}"
