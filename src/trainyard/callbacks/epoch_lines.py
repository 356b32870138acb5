"""One line per epoch, on the console and in the run's log."""

import logging
from math import ceil
from time import perf_counter
from typing import Any

from lightning import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Write the scores of each epoch; in a long training no more than `most` lines, evenly spread.

    The line is written when all scores are known: as the next epoch starts, or at the end. That of an epoch without a
    validation has only the training scores.
    """

    def __init__(self, most: int = 50) -> None:
        self.most, self.validated = most, False

    def state_dict(self) -> dict[str, Any]:
        return {"validated": self.validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validated = state_dict["validated"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.since, self.ended = perf_counter(), 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ended = trainer.current_epoch + 1

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.ended:
            self.write(trainer, self.ended, is_last=False)
        self.validated = False

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.write(trainer, self.ended, is_last=True)

    def write(self, trainer: Trainer, epoch: int, is_last: bool) -> None:
        """Write the line of `epoch` (counted from 1), if it is one of those to be written."""
        planned = trainer.max_epochs or -1
        if not is_last and epoch != 1 and epoch % max(1, ceil(planned / self.most)):
            return
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        names = [name[6:] for name in scores if name.startswith("train/") and name != "train/step_loss"]
        both = [f"{stage}/{name}" for stage in ("train", "val")[: 1 + self.validated] for name in names]
        shown = [f"{name} {scores[name]:.4f}" for name in both if name in scores]
        if (speed := scores.get("throughput/samples_per_second")) is not None:
            shown.append(f"{speed:,.0f} samples/s")
        seconds, self.since = perf_counter() - self.since, perf_counter()
        log.info("epoch %s  %s  %.1f s", f"{epoch}/{planned}" if planned > 0 else epoch, "  ".join(shown), seconds)
