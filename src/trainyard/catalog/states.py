"""The state of a run: done, failed, running, stopped, pruned or damaged."""

import csv
import socket
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from trainyard.durability.run_lock import read_status
from trainyard.files import read_small

DONE, FAILED, RUNNING, STOPPED, PRUNED, DAMAGED = "done", "failed", "running", "stopped", "pruned", "damaged"
STATES = (DONE, FAILED, RUNNING, STOPPED, PRUNED, DAMAGED)
SILENT = 3600.0  # seconds without a new file, after which a run of another machine counts as stopped
MAX_TABLE = 1 << 24  # bytes of a trials.csv


def state_of(path: Path, has_summary: bool, is_locked: bool, changed: float) -> tuple[str, str]:
    """The state and, if something is wrong with the run, what.

    A run whose process was killed says in status.json that it is running, and holds no lock. That of another machine,
    whose locks this one may not see, counts as running as long as it writes something at least once an hour.
    """
    status = read_status(path)
    said, error = status.get("state"), str(status.get("error", ""))
    if is_locked:
        return RUNNING, ""
    if path.name in pruned_trials(path.parent):
        return PRUNED, error
    if said == "running" and status.get("host") != socket.gethostname() and time.time() - changed < SILENT:
        return RUNNING, f"on {status.get('host')}"
    if said == "failed":
        return FAILED, error
    if said in ("running", "preempted", "interrupted"):
        return STOPPED, "its process was killed" if said == "running" else ""
    if has_summary:  # runs that were copied may have no status.json
        return DONE, ""
    return DAMAGED, "it is done, and has no summary.json" if said == "done" else "it has no status.json"


@cache
def pruned_trials(folder: Path) -> frozenset[str]:
    """The names of the run directories in the folder of a study whose trials were pruned, by its trials.csv."""
    rows: list[dict[str, Any]] = []
    with suppress(OSError, ValueError, csv.Error):
        rows = list(csv.DictReader(read_small(folder / "trials.csv", MAX_TABLE).decode("utf-8").splitlines()))
    return frozenset(str(row.get("run")) for row in rows if row.get("state") == "pruned")
