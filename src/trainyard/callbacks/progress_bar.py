"""Progress within an epoch, on a terminal."""

import sys
from time import perf_counter
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from rich.progress import ProgressColumn, Task
from rich.text import Text

from trainyard.callbacks.recent_loss import RecentLoss
from trainyard.logs import terminal_width

WIDE = 100  # columns of a terminal from which on the bar is long and the steps per second stand beside it
NARROW_BAR = 10


class ProgressBar(RichProgressBar):
    """Rich's bar on a terminal, removed when the training has ended; nothing in a pipe or a file.

    It shows the mean loss since its last refresh and the learning rate, and counts epochs from 1 as the lines above it.
    """

    def __init__(self, refresh_rate: int = 1) -> None:
        super().__init__(refresh_rate=refresh_rate, leave=False)
        self.recent, self.values, self.read_at = RecentLoss(), {}, 0.0
        if not sys.stdout.isatty():
            self.disable()

    def enable(self) -> None:
        """Lightning enables every bar on the first process."""
        if sys.stdout.isatty():
            super().enable()

    def configure_columns(self, trainer: Trainer) -> list[ProgressColumn]:
        """Lightning's columns, as many as fit into one line beside loss and learning rate."""
        _, bar, *columns, speed = super().configure_columns(trainer)
        if (terminal_width() or WIDE) >= WIDE:
            return [Stage(self), bar, *columns, speed]
        bar.bar_width = NARROW_BAR
        return [Stage(self), bar, *columns]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.recent = RecentLoss()
        super().on_train_epoch_start(trainer, pl_module)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Loss and learning rate, read once for each refresh, and what a task logs with prog_bar=True."""
        if (now := perf_counter()) - self.read_at > 1 / self.refresh_rate:
            self.read_at = now
            if (loss := self.recent.read(pl_module)) is not None:
                self.values["loss"] = f"{loss:.4f}"
            for optimizer in trainer.optimizers[:1]:
                self.values["lr"] = f"{float(optimizer.param_groups[0]['lr']):.2g}"
        logged = super().get_metrics(trainer, pl_module)
        return {**self.values, **{name: value for name, value in logged.items() if name != "v_num"}}

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.progress is not None:
            self.progress.live.transient = True  # it is removed as it stops
        super().teardown(trainer, pl_module, stage)


class Stage(ProgressColumn):
    """Which epoch it is, or what else runs."""

    def __init__(self, bar: ProgressBar) -> None:
        super().__init__()
        self.bar = bar

    def render(self, task: Task) -> Text:
        """The text beside a bar."""
        if task.id != self.bar.train_progress_bar_id:
            return Text(task.description.lower())
        planned = self.bar.trainer.max_epochs or -1
        return Text(f"epoch {self.bar.trainer.current_epoch + 1}" + (f"/{planned}" if planned > 0 else ""))
