"""A training that takes its time, so that it can be disturbed halfway."""

import time

from lightning import Callback


class Pace(Callback):
    """Sleep after each step."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        time.sleep(self.seconds)
