"""profile=simple: how long each hook and step of Lightning's takes, as a table and a file."""

import logging
import re
from pathlib import Path
from time import perf_counter

from lightning.pytorch.profilers import SimpleProfiler
from rich.table import Table

from trainyard.collectives import rank
from trainyard.files import write_durably
from trainyard.logs import render

log = logging.getLogger(__name__)
STATE = re.compile(r"\{.*\}")  # in the name of a callback: its arguments


class Simple(SimpleProfiler):
    """Lightning's table of a training, and that of its test, are in `folder`; the first is printed.

    An action contains those that it calls, so that the shares add up to more than all. Those of at least `share` of the
    time are printed, without the epoch that contains them all.
    """

    def __init__(self, folder: str, share: float = 0.01) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"profile.share={share} must be in [0, 1)")
        self.folder, self.share = Path(folder), share

    def setup(self, stage: str, local_rank: int | None = None, log_dir: str | None = None) -> None:
        """Begin a table; the training's and the test's are two."""
        super().setup(stage, local_rank, log_dir)
        self.recorded_durations.clear()
        self.start_time = perf_counter()

    def describe(self) -> None:
        """Write the table, and print the main rows of a training."""
        stage = str(getattr(self._stage, "value", self._stage))  # of an enumeration of Lightning's
        file = self.folder / f"simple-{stage}{f'-{rank()}' if rank() else ''}.txt"
        if not self.recorded_durations:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_durably(file, lambda opened: opened.write(self.summary().encode()))
        if stage == "fit" and rank() == 0:
            log.info("%s\nprofile: all actions are in %s", self.main_rows(), file)

    def main_rows(self) -> str:
        """The actions that take most of the time, as a table."""
        rows, _, total = self._make_report_extended()
        title = f"profile of {total:.1f} s (an action contains those that it calls)"
        table = Table(title=title, title_justify="left")
        table.add_column("action")
        for column in ("mean", "calls", "total", "share"):
            table.add_column(column, justify="right")
        for action, mean, calls, seconds, percent in rows:
            if percent >= 100 * self.share and action != "run_training_epoch":
                table.add_row(
                    STATE.sub("", action), f"{1000 * mean:.2f} ms", f"{calls:,}", f"{seconds:.2f} s", f"{percent:.1f} %"
                )
        return render(table)
