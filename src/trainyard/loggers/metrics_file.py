"""metrics.jsonl: every logged value, one JSON object per line, append-only."""

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only


class MetricsFile(Logger):
    """Lines like {"step": 351, "time": 1700000000.0, "epoch": 0, "val/accuracy": 0.91}; NaN is written as null."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.jsonl"

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        values = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        try:
            with self.path.open("a") as file:
                file.write(json.dumps({"step": step, "time": round(time.time(), 3), **values}) + "\n")
        except OSError as error:  # a full disk
            error.filename = str(self.path)
            raise

    @rank_zero_only
    def save(self) -> None:
        """Flush the lines to the disk: a resume point must not be newer than what was logged before it."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the run directory contains the whole config already."""
