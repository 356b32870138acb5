"""How fast a training is, and how much of its time is spent waiting for data."""

from time import perf_counter
from typing import Any

from lightning import Callback, LightningModule, Trainer


class Throughput(Callback):
    """Log, for each epoch, throughput/samples_per_second, throughput/step_ms and throughput/data_share.

    Only training is timed, not validation. `data_share` is the fraction of the time between the end of a step and the
    start of the next: loading, transfer to the device and augmentation there (and logging). The first steps of a run
    (`warmup`) are left out. On a GPU, single steps overlap; the means over an epoch are right.
    """

    def __init__(self, warmup: int = 3) -> None:
        self.warmup = warmup
        self.ended: float | None = None
        self.reset()

    def reset(self) -> None:
        """Start counting again."""
        self.samples, self.steps, self.waited, self.worked = 0, 0, 0.0, 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.started = perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = perf_counter()
        if self.warmup > 0:
            self.warmup -= 1
        elif self.ended is not None:  # not the first step after a pause, which was not a wait for data
            self.waited += self.started - self.ended
            self.worked += now - self.started
            self.samples += len(batch[-1]) * trainer.world_size
            self.steps += 1
        self.ended = now

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ended = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ended = None
        if not self.steps:
            return
        seconds = self.waited + self.worked
        values = {
            "throughput/samples_per_second": self.samples / seconds,
            "throughput/step_ms": 1000 * seconds / self.steps,
            "throughput/data_share": self.waited / seconds,
        }
        pl_module.log_dict(values, on_step=False, on_epoch=True, batch_size=1)
        self.reset()
