"""The private names of Lightning that Trainyard needs, each with its reason. No other file of ours touches one.

tests/durability/test_resume.py notices a change: a resumed run would differ from the uninterrupted one. (For `_device`
it is tests/callbacks/test_ema.py, for `_signal_connector` tests/distributed/test_together.py.)
"""

from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.loops.loop import _Loop

STAGES = ("ready", "started", "processed", "completed")


def handle_no_signals(trainer: Trainer) -> None:
    """`_signal_connector`: on SIGTERM Lightning broadcasts, and waits for processes that are elsewhere, forever."""
    trainer._signal_connector.register_signal_handlers = lambda: None


def clear_restarting_flag(trainer: Trainer) -> None:
    """`_restarting`: as long as it is set, Lightning steps no schedule at the end of the resumed epoch."""
    trainer.fit_loop._restarting = False


def start_with_an_epoch(trainer: Trainer) -> None:
    """`_Loop.restarting`: with max_steps Lightning takes every resume for one within an epoch, and skips an epoch.

    `_resuming_from_checkpoint`: as long as it is set, Lightning does not start the loader anew after the hooks of the
    epoch's start, so that a loader which then draws its order would draw another one.
    """
    _Loop.restarting.fset(trainer.fit_loop, False)  # pyright: ignore
    trainer.fit_loop._resuming_from_checkpoint = False


def batches_completed(trainer: Trainer) -> int:
    """Completed batches of this epoch, including those before a resume within it."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.completed


def steps_logged(trainer: Trainer) -> int:
    """`_batches_that_stepped`: the step under which the loggers get the next batch's values."""
    return trainer.fit_loop.epoch_loop._batches_that_stepped


def rewind_to_batch_start(checkpoint: dict[str, Any], has_validated: bool) -> None:
    """Keys of `loops`: saved as a batch starts, that batch counts as not started.

    After a validation, Lightning passes over it once more as it resumes: it does not run it, but counts a step.
    """
    loops = checkpoint["loops"]["fit_loop"]
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= has_validated
    progress = loops["epoch_loop.batch_progress"]
    progress["is_last_batch"] = False
    completed = progress["current"]["completed"]
    for stage in STAGES:
        progress["total"][stage] += completed - progress["current"][stage]
        progress["current"][stage] = completed


def rewind_to_epoch_start(checkpoint: dict[str, Any], epochs: int) -> None:
    """Keys of `loops`: saved between two epochs, `epochs` are completed and no batch of the next has started."""
    loops = checkpoint["loops"]["fit_loop"]
    progress = loops["epoch_progress"]
    for stage in STAGES:
        progress["total"][stage] += epochs - progress["current"][stage]
        progress["current"][stage] = epochs
        loops["epoch_loop.batch_progress"]["current"][stage] = 0
    checkpoint["epoch"] = epochs


def set_average_device(callback: WeightAveraging, device: torch.device) -> None:
    """`_device`: where the averaged weights are kept; the module moves to its own device only after `setup`."""
    callback._device = callback._device or device
