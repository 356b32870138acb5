"""Read and truncate metrics.jsonl."""

import json
from pathlib import Path
from typing import Any


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl, the oldest first."""
    file = folder / "metrics.jsonl"
    if not file.is_file():
        return []
    *lines, _half = file.read_text().split("\n")  # a killed process may leave an incomplete line
    return [json.loads(line) for line in lines]


def truncate_metrics(folder: Path, step: int) -> None:
    """Remove what was logged from `step` on: a run that resumes there logs it again."""
    lines = [json.dumps(row) + "\n" for row in read_metrics(folder) if (row["step"] or 0) < step]
    file = folder / "metrics.jsonl"
    part = file.with_suffix(".part")
    part.write_text("".join(lines))
    part.replace(file)
