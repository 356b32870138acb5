"""One line per epoch, on the console and in the run's log."""

import logging
import sys
from math import ceil, isfinite
from time import perf_counter
from typing import Any

from lightning import Callback, LightningModule, Trainer

from trainyard.callbacks.recent_loss import RecentLoss
from trainyard.logs import duration
from trainyard.tasks.base import Task

OURS = ("throughput/", "norm/", "lr-")  # beginnings of what other callbacks log
log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Write the scores of each epoch; in a long training no more than `most` lines, evenly spread.

    Where there is no terminal, whose progress bar shows more, a line within an epoch says after every `seconds` how far
    the training is, and the mean loss since the last such line. On a terminal, what does not fit into one line is left
    out at its end.

    The line is written when all scores are known: as the next epoch starts, or at the end. That of an epoch without a
    validation has only the training scores.
    """

    def __init__(self, most: int = 50, seconds: float | None = 30) -> None:
        self.most, self.validated = most, False
        self.seconds = None if sys.stdout is not None and sys.stdout.isatty() else seconds

    def state_dict(self) -> dict[str, Any]:
        return {"validated": self.validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validated = state_dict["validated"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.since, self.ended = perf_counter(), 0
        self.started = self.said = perf_counter()
        self.first_step, self.recent = trainer.global_step, RecentLoss()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = perf_counter()
        if self.seconds is None or now - self.said < self.seconds or trainer.global_step == self.first_step:
            return
        self.said = now
        step, total = trainer.global_step, trainer.estimated_stepping_batches
        rate = (step - self.first_step) / (now - self.started)
        is_known = isfinite(total) and len(trainer.optimizers) == 1  # of several, each counts steps of its own
        left = f"  about {duration((total - step) / rate)} left" if is_known else ""
        recent = self.recent.read(pl_module)
        loss = "" if recent is None else f"  loss {recent:.4f}"
        log.info("epoch %d, step %d%s  %.3g steps/s%s", trainer.current_epoch + 1, step, loss, rate, left)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ended = trainer.current_epoch + 1

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.ended:
            self.write(trainer, self.ended, is_last=False)
        self.validated, self.recent = False, RecentLoss()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.write(trainer, self.ended, is_last=True)

    def write(self, trainer: Trainer, epoch: int, is_last: bool) -> None:
        """Write the line of `epoch` (counted from 1), if it is one of those to be written."""
        planned = trainer.max_epochs or -1
        if not is_last and epoch != 1 and epoch % max(1, ceil(planned / self.most)):
            return
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        seconds, self.since = perf_counter() - self.since, perf_counter()
        first, more = self.names(scores, trainer.lightning_module)
        shown = [f"{name} {scores[name]:.4f}" for name in first]
        shown += [f"{seconds:.1f} s", *(f"{name} {scores[name]:.4f}" for name in more)]
        if (speed := scores.get("throughput/samples_per_second")) is not None:
            shown.append(f"{speed:,.0f} samples/s")
        number = f"{epoch}/{planned}" if planned > 0 else epoch
        log.info("epoch %s  %s", number, "  ".join(shown), extra={"one_line": True})

    def names(self, scores: dict[str, float], task: Any) -> tuple[list[str], list[str]]:
        """The scores to show: the monitored one and the losses, then those that train and val both have.

        A LightningModule that is no task names its scores as it likes: all that it logs are shown.
        """
        if not isinstance(task, Task):
            monitor = getattr(task.trainer.checkpoint_callback, "monitor", None)
            own = [name for name in scores if not name.startswith(OURS)]
            return sorted(own, key=lambda name: name != monitor), []
        stages = ("val", "train") if self.validated else ("train",)
        both = [name[6:] for name in scores if name.startswith("train/") and name != "train/step_loss"]
        wanted = [task.monitor, "val/loss", "train/loss", *(f"{stage}/{name}" for stage in stages for name in both)]
        known = [name for name in dict.fromkeys(wanted) if name in scores and name.startswith(stages)]
        return [name for name in known if name in wanted[:3]], [name for name in known if name not in wanted[:3]]
