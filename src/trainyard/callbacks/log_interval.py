"""How often a step is logged."""

from math import isfinite

from lightning import Callback, LightningModule, Trainer

from trainyard.tasks.run_length import total_steps

LEAST = 20  # steps


class LogInterval(Callback):
    """Log at least 20 steps, if there are so many, also of a run shorter than 20 times trainer.log_every_n_steps."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        interval: int = trainer.log_every_n_steps  # pyright: ignore
        epochs, steps = trainer.max_epochs, trainer.max_steps
        if not interval or (steps < 0 and (epochs is None or epochs < 0)):
            return  # nothing is logged, or nobody knows how long the run is
        parts = (pl_module, trainer.datamodule)  # pyright: ignore
        known = all(hasattr(part, "starts_at_any_batch") for part in parts)  # of others, Lightning knows the length
        total = total_steps(trainer) if known else trainer.estimated_stepping_batches
        if isfinite(total):
            trainer.log_every_n_steps = min(interval, max(1, int(total) // LEAST))  # pyright: ignore
