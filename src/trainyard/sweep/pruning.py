"""Report a trial's score after each validation, and end it when the study's pruner says so."""

import logging
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from lightning import Callback, LightningModule, Trainer

from trainyard.config.instantiate import instantiate
from trainyard.sweep.outcome import PRUNED_AT
from trainyard.sweep.storage import open_storage
from trainyard.sweep.study import load_study, writable_trial

log = logging.getLogger(__name__)


class Pruning(Callback):
    """Report the monitored score after each validation, and stop the training if the pruner decides so.

    Does nothing without `trial`, set by the sweeper, or without `monitor`. With several objectives it prunes nothing.
    Only rank 0 accesses the storage; its decision is broadcast, and the run ends as any other, with should_stop.
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
        if trainer.strategy.broadcast(self.should_prune(score, is_last(trainer))):
            trainer.fit_loop.min_epochs = None  # either would overrule should_stop
            trainer.fit_loop.epoch_loop.min_steps = None
            trainer.should_stop = True

    def should_prune(self, score: float, is_last: bool) -> bool:
        """Report the score; return whether the pruner ends the trial. A storage that cannot be reached ends none."""
        if self.trial is None or len(self.trial.study.directions) > 1:
            return False
        try:
            known = self.trial.study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
            if self.validations not in known:  # a resumed run reports again what the storage has
                self.trial.report(score, self.validations)
            pruned = not is_last and self.trial.should_prune()
            if pruned or PRUNED_AT in self.trial.user_attrs:  # a process that was killed may have set it before
                self.trial.set_user_attr(PRUNED_AT, self.validations if pruned else None)
        except Exception as error:  # whatever a storage raises
            log.warning("validation %d could not be reported to the study: %s", self.validations, error)
            return False
        return pruned


def is_last(trainer: Trainer) -> bool:
    """Whether the training ends here anyway: its score counts as any other."""
    return trainer.max_epochs == trainer.current_epoch + 1 and trainer.is_last_batch


def open_trial(number: int, name: str, storage: str | None) -> optuna.Trial:
    """The study's trial of that number. A URL, which may contain a password, is in hydra.sweeper.storage alone."""
    node = HydraConfig.get().sweeper
    pruner = instantiate(node.pruner, "hydra/sweeper/pruner")
    study = load_study(name, open_storage(storage or node.storage), pruner)
    return writable_trial(study, study.trials[number])
