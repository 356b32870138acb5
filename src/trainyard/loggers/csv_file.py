"""metrics.csv: the lines of metrics.jsonl as a table, for spreadsheets."""

import csv
import io
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from trainyard.files import write_durably
from trainyard.loggers.metrics_lines import read_metrics


class CSVFile(Logger):
    """Write the table from metrics.jsonl at each checkpoint and at the end, so that a resumed run's is complete too.

    (Lightning's CSVLogger deletes the earlier rows.)
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = Path(folder)

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Does nothing: the metrics are in metrics.jsonl, which every run writes."""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the run directory contains the whole config already."""

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        self.write()

    def finalize(self, status: str) -> None:
        self.write()

    @rank_zero_only
    def write(self) -> None:
        """Write one row per line, one column per name."""
        rows = read_metrics(self.folder)
        stream = io.StringIO(newline="")
        table = csv.DictWriter(stream, dict.fromkeys(name for row in rows for name in row))
        table.writeheader()
        table.writerows(rows)
        write_durably(self.folder / "metrics.csv", lambda file: file.write(stream.getvalue().encode()))
