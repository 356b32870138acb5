"""The training loss of the latest steps."""

from typing import Any

from trainyard.tasks.base import Task


class RecentLoss:
    """The mean training loss since it was last read; a new one for each epoch, at whose end the meters start again.

    A LightningModule that is no task has no such meter.

    It is read from the task's own meter, which weights each batch by its samples, also where gradients are accumulated.
    Reading waits for the device, so it is done now and then.
    """

    def __init__(self) -> None:
        self.total = self.weight = 0.0  # of the meter when it was last read

    def read(self, task: Any) -> float | None:
        """The mean over all samples since the last reading; None if there were none."""
        if not isinstance(task, Task):
            return None
        meter: Any = task.stage_meters("train")["loss"]
        total, weight = self.total, self.weight
        self.total, self.weight = float(meter.mean_value), float(meter.weight)
        return (self.total - total) / (self.weight - weight) if self.weight > weight else None
