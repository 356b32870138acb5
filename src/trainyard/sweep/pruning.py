"""Reports a trial's score after each validation, and ends it when the study's pruner says so."""

import logging
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from lightning import Callback, LightningModule, Trainer

from trainyard.build import build
from trainyard.sweep.outcome import PRUNED_AT
from trainyard.sweep.storage import open_storage
from trainyard.sweep.study import live, load

log = logging.getLogger(__name__)


class Pruning(Callback):
    """Does nothing without `trial`, the number that the sweeper gives, or without a score to report.

    A study of several objectives prunes nothing.

    Rank 0 alone talks to the storage; its decision is broadcast, and the run ends as any other, through should_stop.
    """

    def __init__(
        self, monitor: str | None, trial: int | None = None, study: str = "", storage: str | None = None
    ) -> None:
        self.monitor, self.number, self.study, self.storage = monitor, trial, study, storage
        self.trial: optuna.Trial | None = None
        self.validations = 0

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self.validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validations = state_dict["validations"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.number is not None and trainer.is_global_zero:
            self.trial = open_trial(self.number, self.study, self.storage)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.number is None or self.monitor is None or trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self.validations += 1
        score = float(trainer.callback_metrics[self.monitor])
        if trainer.strategy.broadcast(self.is_over(score, is_last(trainer))):
            trainer.fit_loop.min_epochs = None  # either would overrule should_stop
            trainer.fit_loop.epoch_loop.min_steps = None
            trainer.should_stop = True

    def is_over(self, score: float, is_last: bool) -> bool:
        """Report the score; whether the pruner ends the trial. A storage that is away for a while ends none."""
        if self.trial is None or len(self.trial.study.directions) > 1:
            return False
        try:
            known = self.trial.study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
            if self.validations not in known:  # a resumed run says again what the storage has
                self.trial.report(score, self.validations)
            is_over = not is_last and self.trial.should_prune()
            if is_over or PRUNED_AT in self.trial.user_attrs:  # a process that was killed may have said so before
                self.trial.set_user_attr(PRUNED_AT, self.validations if is_over else None)
        except Exception as error:  # whatever a storage raises
            log.warning("validation %d could not be reported to the study: %s", self.validations, error)
            return False
        return is_over


def is_last(trainer: Trainer) -> bool:
    """Whether the training is at its end anyway: its score counts as any other."""
    return trainer.max_epochs == trainer.current_epoch + 1 and trainer.is_last_batch


def open_trial(number: int, name: str, storage: str | None) -> optuna.Trial:
    """A study's trial of that number; a URL that may hold a password stands in hydra.sweeper.storage alone."""
    node = HydraConfig.get().sweeper
    study = load(name, open_storage(storage or node.storage), build(node.pruner, "hydra/sweeper/pruner"))
    return live(study, study.trials[number])
