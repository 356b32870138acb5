"""Report a trial's score after each validation, and end it when the study's pruner says so."""

import logging
import math
from typing import Any

import optuna
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from omegaconf import DictConfig

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
        self.sweeper = DictConfig({})  # of the config, set as the training is built: its storage and its pruner
        self.trial: optuna.Trial | None = None
        self.validations = 0
        self.could_end = False  # at the validation that pruned the trial, early stopping could have ended it as well

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self.validations, "could_end": self.could_end}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validations = state_dict["validations"]
        self.could_end = state_dict.get("could_end", False)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.number is not None and trainer.is_global_zero:
            self.trial = open_trial(self.number, self.study, self.storage, self.sweeper)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.number is None or self.monitor is None or trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self.validations += 1
        score = float(trainer.callback_metrics[self.monitor])
        if trainer.strategy.broadcast(self.should_prune(score, is_last(trainer))):
            self.could_end = may_stop(trainer) and not trainer.should_stop
            trainer.fit_loop.min_epochs = None  # either would overrule should_stop
            trainer.fit_loop.epoch_loop.min_steps = None
            trainer.should_stop = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the pruning back if early stopping, which decides later, ended the training at the same validation."""
        stopping = [each for each in trainer.callbacks if isinstance(each, EarlyStopping)]  # pyright: ignore
        if self.trial and self.could_end and any(each.stopping_reason_message for each in stopping):
            try:
                self.trial.set_user_attr(PRUNED_AT, None)
            except Exception as error:  # whatever a storage raises
                log.warning("that early stopping ended the trial could not be reported to the study: %s", error)

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
    """Whether no validation follows, as far as it can be known: the trial is complete, and counts with its score.

    (When the time of a Timer is over, one validation follows, which is the last.)
    """
    timers = [each for each in trainer.callbacks if isinstance(each, Timer)]  # pyright: ignore
    if any((left := each.time_remaining()) is not None and left <= 0 for each in timers):
        return True
    return (trainer.should_stop and may_stop(trainer)) or batches_to_validation(trainer) > batches_left(trainer)


def may_stop(trainer: Trainer) -> bool:
    """Whether should_stop ends the training here: min_epochs and min_steps are reached."""
    epochs = trainer.current_epoch + trainer.is_last_batch
    return epochs >= (trainer.min_epochs or 0) and trainer.global_step >= (trainer.min_steps or 0)


def batches_left(trainer: Trainer) -> float:
    """How many batches the training has left, at most, by max_epochs and max_steps."""
    epochs, steps = trainer.max_epochs or -1, trainer.max_steps
    epochs_left = epochs - trainer.current_epoch - 1 if epochs >= 0 else math.inf
    steps_left = steps - trainer.global_step if steps >= 0 else math.inf
    by_epochs = batches_left_in_epoch(trainer) + (epochs_left and epochs_left * trainer.num_training_batches)
    each = trainer.accumulate_grad_batches if trainer.lightning_module.automatic_optimization else math.inf
    return min(by_epochs, steps_left and steps_left * each)


def batches_left_in_epoch(trainer: Trainer) -> float:
    """How many batches the epoch has left; infinite, until there is none, for data without a length."""
    return 0 if trainer.is_last_batch else trainer.num_training_batches - trainer.fit_loop.batch_idx - 1


def batches_to_validation(trainer: Trainer) -> float:
    """After how many batches the next validation is due; with an interval of time any batch may be followed by it."""
    interval, epochs = trainer.val_check_batch or 1, trainer.check_val_every_n_epoch
    if epochs is None or interval <= batches_left_in_epoch(trainer):
        return interval
    between = (epochs - 1) and (epochs - 1) * trainer.num_training_batches
    return batches_left_in_epoch(trainer) + between + interval


def open_trial(number: int, name: str, storage: str | None, sweeper: DictConfig) -> optuna.Trial:
    """The study's trial of that number. A URL, which may contain a password, is in hydra.sweeper.storage alone."""
    pruner = instantiate(sweeper.pruner, "hydra/sweeper/pruner")
    study = load_study(name, open_storage(storage or sweeper.storage), pruner)
    return writable_trial(study, study.trials[number])
