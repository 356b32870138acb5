"""What became of a trial, read from its run directory and its process's exit code."""

import json
import math
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import TrialState

from trainyard.durability.run_lock import read_status
from trainyard.durability.signals import INTERRUPTED, PREEMPTED
from trainyard.errors import UserError
from trainyard.files import read_small
from trainyard.loggers.metrics_lines import usual_name
from trainyard.runs.directory import SUMMARY

STOPPED = (PREEMPTED, INTERRUPTED, -signal.SIGTERM)  # exit codes of a training that was asked to stop, and can continue
MAX_ATTEMPTS = 3  # at a trial, without progress
PRUNED_AT = "pruned at"  # attribute of a trial: after how many validations


@dataclass(frozen=True)
class Outcome:
    """A trial's end, and the reason if it has no score."""

    state: TrialState
    values: list[float] | None = None
    reason: str = ""


def read_outcome(
    folder: Path, code: int, error: str, log: Path, objectives: list[str], pruned_at: int | None
) -> Outcome:
    """Read how a trial ended; UserError for an unknown objective, which every further trial would lack too."""
    status = read_status(folder)
    if code == 0 and status.get("state") == "done" and (folder / SUMMARY).is_file():
        if pruned_at is not None:
            return Outcome(TrialState.PRUNED, reason=f"pruned after {pruned_at} validations")
        values = _scores(folder, objectives)
        if all(value is not None and math.isfinite(value) for value in values):
            return Outcome(TrialState.COMPLETE, [float(value or 0) for value in values])
        return Outcome(TrialState.PRUNED, reason="its score is not finite")
    error = str(status.get("error", "")) if status.get("state") == "failed" else error
    if error.startswith("NonFiniteLossError"):
        return Outcome(TrialState.PRUNED, reason=f"diverged: {error.partition(': ')[2].splitlines()[0]}")
    if code == 0:
        return Outcome(TrialState.FAIL, reason=f"ended without a result; see {log}")
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return Outcome(TrialState.FAIL, reason=f"killed by {name}{hint}")
    return Outcome(TrialState.FAIL, reason=error or _last_error(log) or f"ended with code {code}; see {log}")


def newest_step(folder: Path) -> int:
    """The optimizer steps before a run's newest resume point, 0 without one; larger than any when it is trained."""
    points = folder / "checkpoints"  # durability/resume_points.py writes them, and imports torch
    if (points / "last.ckpt").exists():
        return sys.maxsize
    steps = [path.stem.removeprefix("resume-") for path in points.glob("resume-*.ckpt")]
    return max((int(step) for step in steps if step.isdecimal()), default=0)


def _scores(folder: Path, objectives: list[str]) -> list[float | None]:
    """The objectives' values in the best epoch, or a number of the whole run: parameters, seconds, steps."""
    summary = json.loads(read_small(folder / SUMMARY))
    if not summary["best"]:  # no validation had a finite score
        return [None]
    known = {**{key: value for key, value in summary.items() if isinstance(value, int | float)}, **summary["best"]}
    known |= {name: known[usual] for name in objectives if (usual := usual_name(name, "val")) in known}
    if unknown := [name for name in objectives if name not in known]:
        raise UserError(
            f"hydra.sweeper.objectives: {unknown[0]} is not in {folder / SUMMARY}, which has {', '.join(known)}"
        )
    return [known[name] for name in objectives]


def _last_error(log: Path) -> str:
    """The last line that contains an error."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    errors = [line for line in lines if line.startswith("error: ") or "Error: " in line]
    return errors[-1].removeprefix("error: ")[:500] if errors else ""
