"""What runs and sweeps have come to, and whether that is what the undisturbed ones came to."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def read(file: Path) -> dict[str, Any]:
    """A JSON file; empty as long as there is none."""
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def equal(name: str, found: Any, expected: Any) -> None:
    """RuntimeError with both values if they differ."""
    if found != expected:
        raise RuntimeError(f"{name}: {found}, where {expected} was expected")


@dataclass
class Expected:
    """What the undisturbed runs came to."""

    scores: dict[str, Any] = field(default_factory=dict)
    trials: list[tuple[str, ...]] = field(default_factory=list)


class Checks:
    """Of the runs below `root`."""

    root: Path

    def __init__(self, expected: Expected) -> None:
        self.expected = expected

    def came_to(self, run: Path) -> dict[str, Any]:
        """The scores of a finished run, on validation and test."""
        summary = read(run / "summary.json")
        if not summary:
            raise RuntimeError(f"{run} has no summary.json")
        return {key: summary[key] for key in ("score", "best", "test", "steps")}

    def table(self, name: str) -> list[tuple[str, ...]]:
        """Of each trial its state, score and parameters."""
        rows = csv.DictReader((self.root / name / "sweeps" / "xor" / "trials.csv").read_text().splitlines())
        left_out = ("seconds", "run")
        return [tuple(value for key, value in row.items() if key not in left_out) for row in rows]

    def only_run(self, name: str) -> Path:
        """The one run directory below a folder; RuntimeError if there are several."""
        runs = sorted(file.parent for file in (self.root / name).rglob("config.resolved.yaml"))
        equal(f"run directories in {name}", len(runs), 1)
        return runs[0]

    def is_under_way(self, name: str, host: str | None = None) -> Path | None:
        """A run that has a resume point and has not ended, on that host."""
        for file in (self.root / name).rglob("resume-*.ckpt"):
            status = read(file.parents[1] / "status.json")
            if status.get("state") == "running" and status["host"] == (host or status["host"]):
                return file.parents[1]
        return None

    def check_resumed(self, run: Path, attempts: int) -> None:
        """The run has ended as the undisturbed one, in so many attempts, each from where the last one was."""
        equal("scores", self.came_to(run), self.expected.scores)
        equal("attempts", read(run / "status.json")["attempt"], attempts)
        equal("resumed", (run / "run.log").read_text().count("resumed from resume-"), attempts - 1)
