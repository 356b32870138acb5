"""How many optimizer steps a run is going to have, and how many of them are its warm-up."""

from math import ceil
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from trainyard.optim.warmup_length import Warmup


def total_steps(trainer: Trainer, data: Any = None) -> int:
    """The number of optimizer steps of the whole run; ValueError if its length is not set. `data`: by default its own.

    Lightning's own `estimated_stepping_batches` would start the loader before a resumed run's epoch is known.
    """
    data = data or getattr(trainer, "datamodule", None)
    steps, epochs = trainer.max_steps, trainer.max_epochs
    if epochs is None or epochs < 0:
        if steps < 0:
            raise ValueError("this schedule needs the length of the run: set trainer.max_epochs or trainer.max_steps")
        return steps
    if data is None:
        return int(trainer.estimated_stepping_batches)
    total = sum(epoch_steps(trainer, data, epoch) for epoch in range(epochs))
    return total if steps < 0 else min(total, steps)


def epoch_steps(trainer: Trainer, data: Any, epoch: int) -> int:
    """The optimizer steps of an epoch, counted from 0."""
    batches, limit = len(data.train_dataloader()), trainer.limit_train_batches
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    return ceil(batches / accumulated_batches(trainer, epoch))


def warmup_steps(trainer: Trainer, warmup: Warmup | None, data: Any = None) -> int:
    """The optimizer steps of the warm-up; ValueError unless the run is longer than that."""
    if warmup is None:
        return 0
    data = data or getattr(trainer, "datamodule", None)
    steps, last = warmup.steps or 0, trainer.max_epochs
    is_endless = (last is None or last < 0) and trainer.max_steps < 0
    total = None if is_endless and warmup.share is None else total_steps(trainer, data)
    if warmup.share is not None and total is not None:
        steps = round(warmup.share * total)
    elif warmup.epochs is not None:
        whole, part = divmod(warmup.epochs, 1)
        steps = sum(epoch_steps(trainer, data, epoch) for epoch in range(int(whole)))
        steps += round(part * epoch_steps(trainer, data, int(whole)))
    if total is not None and 0 < total <= steps and not trainer.fast_dev_run:  # pyright: ignore
        raise ValueError(
            f"a warm-up of {steps:,} steps leaves nothing of a run of {total:,} steps; lower scheduler.warmup_steps or "
            "scheduler.warmup_epochs, or train for longer"
        )
    return steps if total is None else min(steps, max(0, total - 1))


def accumulated_batches(trainer: Trainer, epoch: int) -> int:
    """The batches of a step in an epoch, counted from 0."""
    for callback in trainer.callbacks:  # pyright: ignore
        if isinstance(callback, GradientAccumulationScheduler):
            return callback.get_accumulate_grad_batches(epoch)
    return trainer.accumulate_grad_batches
