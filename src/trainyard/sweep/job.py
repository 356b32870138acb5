"""A trial as a training: its words, its run directory, its end."""

import os
from pathlib import Path

import optuna
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from trainyard.sweep.options import Options
from trainyard.sweep.outcome import PRUNED_AT, Outcome, outcome
from trainyard.sweep.space import Space, quote
from trainyard.sweep.storage import is_file

HANDED_ON = ("hydra.sweeper.", "hydra/sweeper")  # words for Hydra that a trial's process needs
FEW = 3  # trials that say nothing yet about the others


class Jobs:
    """What all trials of a sweep share."""

    def __init__(self, options: Options, config: DictConfig, space: Space) -> None:
        self.options, self.space = options, space
        self.ends: list[Outcome] = []
        objective = next(iter(options.objectives))
        self.watched = objective if objective.startswith("val/") else None  # others have no course
        self.always = [*space.fixed, "trainer.enable_progress_bar=false"]
        if options.execution == "process":  # a launcher's jobs have them from the sweep
            words = list(config.hydra.overrides.hydra)
            self.always += [word for word in words if word.lstrip("+~").startswith(HANDED_ON)]
        if options.n_jobs > 1 and config.hardware.threads is None:
            self.always.append(f"hardware.threads={max(1, cores() // options.n_jobs)}")

    def words(self, trial: FrozenTrial) -> list[str]:
        """The overrides of a trial's training."""
        words = [*self.always, *self.space.words(trial.params), f"run.dir={quote(str(self.folder(trial)))}"]
        if is_file(self.options.location):  # a URL may hold a password, which no run is to write down
            words.append(f"callbacks.pruning.storage={quote(self.options.location)}")
        if self.options.execution == "launcher":
            words += [
                f"hydra.sweep.dir={quote(str(self.options.folder))}",
                f"hydra.sweep.subdir={self.folder(trial).name}",
            ]
        return [
            *words,
            f"callbacks.pruning.monitor={quote(self.watched)}",
            f"callbacks.pruning.study={quote(self.options.study)}",
            f"callbacks.pruning.trial={trial.number}",
        ]

    def best_words(self, trial: FrozenTrial, folder: Path, seed: int) -> list[str]:
        """The overrides of a training of the same config, apart from the study, with another seed and a test."""
        words = [word for word in self.always if not word.startswith(("seed=", "test="))]
        return [*words, *self.space.words(trial.params), f"run.dir={quote(str(folder))}", f"seed={seed}", "test=true"]

    def folder(self, trial: FrozenTrial) -> Path:
        """The trial's run directory."""
        return self.options.folder / f"{trial.number:04d}"

    def log(self, trial: FrozenTrial) -> Path:
        """What its process prints."""
        return self.options.folder / f"{trial.number:04d}.log"

    def outcome(self, study: optuna.Study, trial: FrozenTrial, code: int, error: str = "") -> Outcome:
        """What became of it; `error` is what is known of it besides."""
        pruned_at = study.trials[trial.number].user_attrs.get(PRUNED_AT)
        end = outcome(self.folder(trial), code, error, self.log(trial), list(self.options.objectives), pruned_at)
        self.ends.append(end)
        return end

    def hopeless(self) -> str:
        """A sentence, when so many trials failed that their values cannot be the reason."""
        failed = [end.reason for end in self.ends if end.state == TrialState.FAIL]
        if len(self.ends) < FEW or len(failed) <= self.options.max_failure_rate * len(self.ends):
            return ""
        rate = f"hydra.sweeper.max_failure_rate={self.options.max_failure_rate}"
        return f"{len(failed)} of {len(self.ends)} trials failed, more than {rate}: {failed[-1]}"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
