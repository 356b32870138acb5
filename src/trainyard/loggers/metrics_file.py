"""metrics.jsonl: every logged value, one JSON object a line, only ever appended to."""

import json
import math
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
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, "time": round(time.time(), 3), **values}) + "\n")

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The run directory holds the whole config already."""


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl, oldest first."""
    file = folder / "metrics.jsonl"
    if not file.is_file():
        return []
    *lines, _half = file.read_text().split("\n")  # a killed process may leave half a line
    return [json.loads(line) for line in lines]


def cut_metrics(folder: Path, step: int) -> None:
    """Drop what was logged from `step` on: a run that resumes there logs it again."""
    lines = [json.dumps(row) + "\n" for row in read_metrics(folder) if (row["step"] or 0) < step]
    file = folder / "metrics.jsonl"
    part = file.with_suffix(".part")
    part.write_text("".join(lines))
    part.replace(file)
