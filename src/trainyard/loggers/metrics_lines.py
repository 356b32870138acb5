"""Read and truncate metrics.jsonl."""

import json
import os
import re
from pathlib import Path
from typing import Any

from trainyard.files import open_regular, read_small, write_durably

TAIL = 1 << 16  # bytes at a file's end, in which its last lines are
STAGED = re.compile(r"(?:(train)(?:ing)?|(val)(?:id|idation)?|(test))[/_](.+)")


def usual_name(name: str, stage: str = "") -> str:
    """A score's name in Trainyard's form: val_loss, valid/loss -> val/loss; a name without a stage gets `stage`."""
    if match := STAGED.fullmatch(name):
        return f"{match[1] or match[2] or match[3]}/{match[4]}"
    return f"{stage}/{name}" if stage else name


def read_metrics(folder: Path, most: int = 1 << 40) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl, the oldest first; OSError for more than `most` bytes.

    A line that is no JSON object is left out: a killed process leaves an incomplete one, a power failure one of NULs.
    """
    file = folder / "metrics.jsonl"
    return _rows(read_small(file, most)) if file.exists() else []


def last_score(folder: Path, name: str) -> tuple[int, float] | None:
    """The epoch and the value of a score that a run logged last; None if it is not among its last lines."""
    try:
        with open_regular(folder / "metrics.jsonl") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            rows = _rows(file.read(TAIL))
    except OSError:
        return None
    found = [(row.get("epoch"), row.get(name)) for row in reversed(rows)]
    return next(((e, value) for e, value in found if isinstance(e, int) and isinstance(value, int | float)), None)


def _rows(content: bytes) -> list[dict[str, Any]]:
    """Its whole lines that are JSON objects."""
    rows = []
    for line in content.split(b"\n")[:-1]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def truncate_metrics(folder: Path, step: int) -> None:
    """Remove what was logged from `step` on: a run that resumes there logs it again."""
    lines = [json.dumps(row) + "\n" for row in read_metrics(folder) if (row.get("step") or 0) < step]
    write_durably(folder / "metrics.jsonl", lambda file: file.write("".join(lines).encode()))
