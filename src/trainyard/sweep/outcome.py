"""What became of a trial, read from its run directory and its process's exit code."""

import json
import math
import signal
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import TrialState

from trainyard.directory import SUMMARY
from trainyard.errors import UserError
from trainyard.reliability.files import read_small
from trainyard.reliability.folder import status
from trainyard.reliability.stop import INTERRUPTED, PREEMPTED

AGAIN = (PREEMPTED, INTERRUPTED, -signal.SIGTERM)  # asked to stop, not by the sweep: it can go on
PRUNED_AT = "pruned at"  # attribute of a trial: after how many validations


@dataclass(frozen=True)
class Outcome:
    """A trial's end, and why if it is not the hoped-for one."""

    state: TrialState
    values: list[float] | None = None
    reason: str = ""


def outcome(folder: Path, code: int, error: str, log: Path, objectives: list[str], pruned_at: int | None) -> Outcome:
    """UserError for an objective that no run has: every further trial would lack it too."""
    said = status(folder)
    if code == 0 and said.get("state") == "done" and (folder / SUMMARY).is_file():
        if pruned_at is not None:
            return Outcome(TrialState.PRUNED, reason=f"pruned after {pruned_at} validations")
        values = scores(folder, objectives)
        if all(value is not None and math.isfinite(value) for value in values):
            return Outcome(TrialState.COMPLETE, [float(value or 0) for value in values])
        return Outcome(TrialState.PRUNED, reason="its score is no number")
    error = str(said.get("error", "")) if said.get("state") == "failed" else error
    if error.startswith("NotFiniteError"):
        return Outcome(TrialState.PRUNED, reason=f"diverged: {error.partition(': ')[2].splitlines()[0]}")
    if code == 0:
        return Outcome(TrialState.FAIL, reason=f"ended without a result; see {log}")
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return Outcome(TrialState.FAIL, reason=f"killed by {name}{hint}")
    return Outcome(TrialState.FAIL, reason=error or last_error(log) or f"ended with code {code}; see {log}")


def scores(folder: Path, objectives: list[str]) -> list[float | None]:
    """The objectives' values in the best epoch, or a number of the whole run: parameters, seconds, steps."""
    summary = json.loads(read_small(folder / SUMMARY))
    if not summary["best"]:  # no validation had a score that is a number
        return [None]
    known = {**{key: value for key, value in summary.items() if isinstance(value, int | float)}, **summary["best"]}
    if unknown := [name for name in objectives if name not in known]:
        raise UserError(f"hydra.sweeper.objectives: {unknown[0]} is not in {folder / SUMMARY}: {', '.join(known)} are")
    return [known[name] for name in objectives]


def last_error(log: Path) -> str:
    """The last line that tells an error."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    told = [line for line in lines if line.startswith("error: ") or "Error: " in line]
    return told[-1].removeprefix("error: ")[:500] if told else ""
