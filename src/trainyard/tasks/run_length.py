"""How many optimizer steps a run is going to have."""

from math import ceil

from lightning import Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler


def total_steps(trainer: Trainer) -> int:
    """The number of optimizer steps of the whole run; ValueError if its length is not set.

    Lightning's own `estimated_stepping_batches` would start the loader before a resumed run's epoch is known.
    """
    data = getattr(trainer, "datamodule", None)
    steps, epochs = trainer.max_steps, trainer.max_epochs
    if epochs is None or epochs < 0:
        if steps < 0:
            raise ValueError("this schedule needs the length of the run: set trainer.max_epochs or trainer.max_steps")
        return steps
    if data is None:
        return int(trainer.estimated_stepping_batches)
    batches, limit = len(data.train_dataloader()), trainer.limit_train_batches
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    total = sum(ceil(batches / accumulated_batches(trainer, epoch)) for epoch in range(epochs))
    return total if steps < 0 else min(total, steps)


def accumulated_batches(trainer: Trainer, epoch: int) -> int:
    """The batches of a step in an epoch, counted from 0."""
    for callback in trainer.callbacks:  # pyright: ignore
        if isinstance(callback, GradientAccumulationScheduler):
            return callback.get_accumulate_grad_batches(epoch)
    return trainer.accumulate_grad_batches
