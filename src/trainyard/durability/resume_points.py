"""Resume points: checkpoints from which a run continues as if nothing had happened."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import StochasticWeightAveraging
from torch import Tensor

from trainyard.durability.agreement import Agreement
from trainyard.durability.best import KEPT, Best, delete_kept
from trainyard.durability.lightning_private import rewind_to_batch_start, rewind_to_epoch_start, steps_logged
from trainyard.durability.point_files import LAST, resume_points, step_of
from trainyard.durability.sharded_points import delete_orphans
from trainyard.durability.signals import StopSignal
from trainyard.files import remove_parts

WRITE_SHARE = 1 / 20  # of the time, at most, is spent writing resume points


def is_extra(trainer: Trainer) -> bool:
    """Whether this is the epoch after the last in which Lightning's SWA recomputes the statistics of batch norm.

    A run that resumed within it would lack what the callback sets as its own epochs start.
    """
    averaging = (each for each in trainer.callbacks if isinstance(each, StochasticWeightAveraging))  # pyright: ignore
    return any(trainer.current_epoch > each.swa_end for each in averaging)


class ResumePoints(Callback):
    """Write `folder`/resume-<step>.ckpt between two batches or epochs, and keep the newest `keep` of them.

    When the training has ended, `folder`/last.ckpt replaces them.

    A point is due after `every_n_steps` optimizer steps or `every_seconds` (longer where writing would take more than a
    twentieth of the time), and when a signal asks to stop; never between batches whose gradients are accumulated, and
    only between epochs where the data, or a LightningModule of others, cannot start within one. This must be the first
    callback: the others' batch-start hooks run after resuming.
    """

    def __init__(
        self, folder: Path, every_seconds: float | None = 60, every_n_steps: int | None = None, keep: int = 2
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep={keep}: at least 1 resume point must be kept")
        self.folder, self.keep = Path(folder), keep
        self.every_seconds, self.every_n_steps = every_seconds, every_n_steps
        self.stop = StopSignal()
        self.agreement = Agreement()
        self.earlier_seconds, self.started = 0.0, time.monotonic()  # of earlier processes; when this one started
        self.saved_at, self.saved_step, self.write_seconds = time.monotonic(), -1, 0.0
        self.has_validated = self.had_stopped = False
        self.within_epochs = True  # whether the data can start at any batch of an epoch
        self.is_saving, self.epochs = False, None  # is_saving: a resume point; epochs completed, if between two
        self.trainer: Trainer | None = None
        self.scores: dict[str, Tensor] = {}  # of the last validation before the resume point

    @property
    def seconds(self) -> float:
        """How long the run has trained, in all its processes together."""
        return self.earlier_seconds + time.monotonic() - self.started

    def state_dict(self) -> dict[str, Any]:
        """Lightning saves neither that a training was stopped early nor the scores that a plateau schedule needs."""
        scores = self.trainer.callback_metrics if self.trainer else {}
        return {
            "should_stop": bool(self.trainer and self.trainer.should_stop),
            "seconds": self.seconds,
            "scores": {name: float(value) for name, value in scores.items() if name.startswith("val")},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self.trainer and self.trainer.state.fn != "fit":  # the best weights are loaded to be tested
            return
        self.had_stopped, self.earlier_seconds = state_dict["should_stop"], state_dict["seconds"]
        self.scores = {name: torch.tensor(value) for name, value in state_dict.get("scores", {}).items()}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.trainer = trainer
        parts = (trainer.datamodule, pl_module)  # pyright: ignore
        self.within_epochs = all(getattr(part, "starts_at_any_batch", False) for part in parts)
        if stage == "fit" and trainer.is_global_zero:
            remove_parts(self.folder)
            delete_orphans(self.folder)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.saved_at, self.saved_step = time.monotonic(), trainer.global_step
        trainer.callback_metrics.update(self.scores)
        if self.had_stopped:
            trainer.should_stop = True
        self.stop.listen()  # after Lightning's own handlers, which end a run without a checkpoint
        if trainer.is_global_zero:  # damaged points, and those that come after the one from which the run resumes
            self.delete(point for point in resume_points(self.folder) if not 0 <= step_of(point) <= trainer.global_step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.agreement.ask_soon()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.has_validated = True
        self.agreement.ask_soon()

    def on_train_batch_end(self, *_: Any) -> None:
        self.has_validated = False

    def on_validation_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.state.fn == "fit":  # a validation may be long; the newest resume point is from before it
            self.agreement.reach(self.stop)
            self.agreement.raise_if_stopped()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0 or batch_idx % trainer.accumulate_grad_batches:
            return
        is_wanted = self.agreement.reach(self.stop, self.is_due(trainer)) or self.is_due_by_steps(trainer)
        if is_wanted and self.within_epochs and not is_extra(trainer):
            self.save(trainer)
        self.agreement.raise_if_stopped()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        is_wanted = self.agreement.reach(self.stop, self.is_due(trainer), now=True) or self.is_due_by_steps(trainer)
        self.agreement.ask_soon()
        if trainer.current_epoch and is_wanted and not is_extra(trainer):
            self.save(trainer, trainer.current_epoch)
        self.agreement.raise_if_stopped()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save(trainer, trainer.current_epoch, LAST)
        if trainer.is_global_zero:
            self.delete(self.folder.glob("resume-*.ckpt"))
            self.folder.joinpath(KEPT + LAST).unlink(missing_ok=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.stop.release()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.stop.release()

    def is_due(self, trainer: Trainer) -> bool:
        """Whether enough seconds have passed since the last resume point; by this process's clock."""
        waited, share = time.monotonic() - self.saved_at, self.write_seconds / WRITE_SHARE
        is_late = self.every_seconds is not None and waited >= max(self.every_seconds, share)
        return is_late and trainer.global_step > self.saved_step

    def is_due_by_steps(self, trainer: Trainer) -> bool:
        """Whether enough steps have passed since then, which all processes know without asking."""
        steps = trainer.global_step - self.saved_step
        return self.every_n_steps is not None and steps > 0 and steps >= self.every_n_steps

    def save(self, trainer: Trainer, epochs: int | None = None, name: str | None = None) -> None:
        """Write a resume point and delete the oldest; `epochs` are completed, None within an epoch."""
        started = time.monotonic()
        for logger in trainer.loggers:
            logger.save()  # what a resumed run will not log again
        file = self.folder / (name or f"resume-{trainer.global_step:09d}.ckpt")
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, Best) and trainer.is_global_zero:
                callback.keep_for(file)
        self.is_saving, self.epochs = True, epochs
        try:
            trainer.save_checkpoint(file, weights_only=False)  # the whole state; without the argument Lightning warns
        finally:
            self.is_saving = False
        self.saved_at, self.saved_step = time.monotonic(), trainer.global_step
        self.write_seconds = self.saved_at - started
        if trainer.is_global_zero:
            self.delete(resume_points(self.folder)[self.keep :])

    def delete(self, points: Iterable[Path]) -> None:
        """Delete resume points, and what was kept for them."""
        for point in points:
            point.unlink(missing_ok=True)
        delete_kept(self.folder)
        delete_orphans(self.folder)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self.is_saving:
            checkpoint["logged_step"] = steps_logged(trainer)
            if self.epochs is None:
                rewind_to_batch_start(checkpoint, self.has_validated)
            else:
                rewind_to_epoch_start(checkpoint, self.epochs)
