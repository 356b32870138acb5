"""Progress within an epoch, on a terminal."""

import sys

from lightning.pytorch.callbacks import RichProgressBar


class ProgressBar(RichProgressBar):
    """Rich's bar on a terminal, removed when the training has ended; nothing in a pipe or a file."""

    def __init__(self, refresh_rate: int = 1) -> None:
        super().__init__(refresh_rate=refresh_rate, leave=False)
        if not sys.stdout.isatty():
            self.disable()

    def enable(self) -> None:
        """Lightning enables every bar on the first process."""
        if sys.stdout.isatty():
            super().enable()
