"""The private names of Lightning that Trainyard needs, each with its reason. Nothing else of ours touches one.

tests/reliability/test_resume.py notices a change: a resumed run would no longer be the uninterrupted one. (That of
`_device` is tests/callbacks/test_ema.py.)
"""

from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.loops.loop import _Loop

STAGES = ("ready", "started", "processed", "completed")


def forget_restart(trainer: Trainer) -> None:
    """`_restarting`: as long as it is set, Lightning steps no schedule at the end of the resumed epoch."""
    trainer.fit_loop._restarting = False


def begin_with_an_epoch(trainer: Trainer) -> None:
    """`_Loop.restarting`: with max_steps Lightning takes every resuming for one within an epoch, and skips one."""
    _Loop.restarting.fset(trainer.fit_loop, False)  # pyright: ignore


def batches_done(trainer: Trainer) -> int:
    """Batches of this epoch that are through; of a resumed one, those before as well."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.completed


def steps_logged(trainer: Trainer) -> int:
    """`_batches_that_stepped`: the number under which the loggers get the next batch's values."""
    return trainer.fit_loop.epoch_loop._batches_that_stepped


def settle_batch(checkpoint: dict[str, Any]) -> None:
    """Keys of `loops`: saved as a batch begins, that batch counts as not begun."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    done = progress["current"]["completed"]
    for stage in STAGES:
        progress["total"][stage] += done - progress["current"][stage]
        progress["current"][stage] = done


def settle_epoch(checkpoint: dict[str, Any], epochs: int) -> None:
    """Keys of `loops`: saved between two epochs, `epochs` of them are through and no batch of the next has begun."""
    loops = checkpoint["loops"]["fit_loop"]
    progress = loops["epoch_progress"]
    for stage in STAGES:
        progress["total"][stage] += epochs - progress["current"][stage]
        progress["current"][stage] = epochs
        loops["epoch_loop.batch_progress"]["current"][stage] = 0
    checkpoint["epoch"] = epochs


def average_on(callback: WeightAveraging, device: torch.device) -> None:
    """`_device`: where the averaged weights lie; the module moves to its own device only after `setup`."""
    callback._device = callback._device or device
