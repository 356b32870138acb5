"""Read and truncate metrics.jsonl."""

import json
import re
from pathlib import Path
from typing import Any

from trainyard.files import read_small, write_durably

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
    if not file.exists():
        return []
    rows = []
    for line in read_small(file, most).split(b"\n")[:-1]:
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
