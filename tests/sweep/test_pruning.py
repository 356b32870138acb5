"""Which of a trial's validations may end it: not the last one, however the training is limited."""

import time
import warnings
from datetime import timedelta
from typing import Any

import optuna
import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from optuna.pruners import ThresholdPruner
from torch.utils.data import DataLoader, IterableDataset

from trainyard.sweep.outcome import PRUNED_AT
from trainyard.sweep.pruning import Pruning

BATCHES = 10  # of an epoch


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).sum()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/loss", 1.0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


class Trial(Pruning):
    """The callback with a trial of a study in memory, instead of the one that Hydra's config names."""

    def __init__(self, good: int) -> None:
        super().__init__("val/loss", trial=0)
        pruner = ThresholdPruner(upper=0.5, n_warmup_steps=good + 1)  # prunes at each validation after `good` ones
        self.trial = optuna.create_study(pruner=pruner).ask()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pass


class Unsized(IterableDataset):
    def __iter__(self) -> Any:
        return iter(torch.ones(BATCHES, 1))


class SlowValidation(Callback):
    """The second validation takes until the time of the training is over."""

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        (timer,) = [each for each in trainer.callbacks if isinstance(each, Timer)]  # pyright: ignore
        if trainer.current_epoch == 1:
            time.sleep(max(0.0, timer.time_remaining() or 0.0))


def train(good: int, *callbacks: Callback, data: Any = None, **limits: Any) -> tuple[int, int | None]:
    """How many validations there were, and after how many of them the trial was pruned, if it was."""
    pruning = Trial(good)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(
            **{"max_epochs": 3, **limits}, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
            callbacks=[pruning, *callbacks],
        )  # fmt: skip
        loader = DataLoader(torch.ones(BATCHES, 1) if data is None else data)
        trainer.fit(Module(), loader, DataLoader(torch.ones(1, 1)))
    assert pruning.trial is not None
    return pruning.validations, pruning.trial.user_attrs.get(PRUNED_AT)


LIMITS: dict[str, tuple[int, dict[str, Any]]] = {  # how many validations there are under which limits
    "epochs": (3, {}),
    "steps, at the end of an epoch": (2, {"max_steps": 20, "max_epochs": -1}),
    "steps, at a validation within an epoch": (4, {"max_steps": 13, "val_check_interval": 3}),
    "steps, between two validations": (3, {"max_steps": 12, "val_check_interval": 3}),
    "steps of several batches": (2, {"max_steps": 6, "accumulate_grad_batches": 4}),
    "steps of several batches, within an epoch": (1, {"max_steps": 5, "accumulate_grad_batches": 4}),
    "several validations an epoch": (6, {"val_check_interval": 0.5}),
    "the last batches of an epoch are not validated": (9, {"val_check_interval": 3}),
    "fewer batches": (6, {"limit_train_batches": 6, "val_check_interval": 3}),
    "the last epoch is not validated": (1, {"check_val_every_n_epoch": 2}),
    "validations over epochs": (4, {"val_check_interval": 7, "check_val_every_n_epoch": None}),
    "data without a length": (3, {"data": Unsized()}),
    "both, steps first": (2, {"max_steps": 19, "val_check_interval": 8, "max_epochs": 9}),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_last_validation_of_a_training_prunes_nothing_and_any_other_does(name: str) -> None:
    count, limits = LIMITS[name]
    assert train(count - 1, **limits) == (count, None)
    if count > 1:
        assert train(count - 2, **limits) == (count - 1, count - 1)


def test_a_training_that_its_time_ends_is_complete() -> None:
    limits = {"max_epochs": -1, "max_time": timedelta(seconds=1)}
    assert train(1, SlowValidation(), **limits) == (3, None)  # after its time a training is validated once more
    assert train(0, SlowValidation(), **limits) == (1, 1)


@pytest.mark.parametrize("interval", [1.0, 0.5])  # it decides at the end of the epoch, or of the validation
def test_a_training_that_early_stopping_ends_is_complete(interval: float) -> None:
    def stopping() -> EarlyStopping:
        return EarlyStopping("val/loss", patience=1)

    assert train(1, stopping(), val_check_interval=interval) == (2, None)
    assert train(0, stopping(), val_check_interval=interval) == (1, 1)
    assert train(2, stopping(), min_epochs=3, val_check_interval=1.0) == (3, None)
    assert train(1, stopping(), min_epochs=3, val_check_interval=1.0) == (2, 2)  # before early stopping could end it
