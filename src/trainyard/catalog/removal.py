"""Delete run directories: only what is one, none that is in use, none of which a part is something else."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from trainyard.catalog.entries import Entry, read_entry
from trainyard.catalog.listing import shown
from trainyard.catalog.states import DONE, RUNNING
from trainyard.durability.run_lock import LOCK, STATUS, RunLock, is_locked
from trainyard.errors import UserError
from trainyard.trust.signature import OVERRIDES, RESOLVED

OWN_FOLDERS = {  # those that a run directory may contain
    "checkpoints", "evaluation", "evaluate", "exports", "export", "explanations", "explain", "figures", "images",
    "pictures", "predictions", "lightning_logs", "profile", ".hydra", ".failures", "ray", "train", "val", "test",
    "best", "projector",
}  # fmt: skip
MARKS = (OVERRIDES, "environment.json", "choices.yaml", STATUS)  # a run has one of them beside its config
LAST = (STATUS, RESOLVED, LOCK)  # deleted last, so that a removal that was interrupted can be repeated


def select(listed: Sequence[Entry], named: Sequence[Path], by_rule: bool) -> list[Entry]:
    """The runs to remove: those that are `named` by their directory, and `by_rule` the others; UserError for a mistake.

    No rule selects a finished run, nor one that is running; a running one that is named is an error.
    """
    own = {path.resolve() for path in named}
    chosen = []
    for each in listed:
        is_named = each.path.resolve() in own
        if each.state == RUNNING and is_named:
            raise UserError(f"{shown(each.path)} is running; stop it first")
        if is_named or (by_rule and each.state not in (DONE, RUNNING)):
            chosen.append(each)
    return chosen


def why_not(each: Entry) -> str:
    """Why a run directory is not removed; empty if it can be."""
    here = each.path.resolve()
    if each.found.has_runs:
        return "it contains another run"
    if not any((each.path / name).is_file() for name in MARKS):
        return f"it has a {RESOLVED}, and nothing else that a run has"
    if other := sorted(each.found.folders - OWN_FOLDERS):
        return f"it contains the folder {shown(Path(other[0]))}, which is not of a run"
    if any(place == here or place.is_relative_to(here) for place in (Path.cwd().resolve(), Path.home().resolve())):
        return "it contains the current folder, or your home folder"
    return ""


def remove(each: Entry) -> str:
    """Delete the directory of a run; return why it was not deleted, or an empty string.

    The run is locked meanwhile, and is what it was when it was listed; links are deleted, never followed.
    """
    path = each.path
    if path.is_symlink() or not (path / RESOLVED).is_file():
        return "it is no run directory any more"
    if is_locked(path):
        return "it is in use now"
    try:
        with RunLock(path):
            if read_entry(each.found, in_use=False).state != each.state:
                return "it has changed since"
            _delete(path)
    except (OSError, UserError) as error:
        return str(error)
    return ""


def _delete(path: Path) -> None:
    with os.scandir(path) as listed:
        inside = [entry for entry in listed if entry.name not in LAST]
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            Path(entry.path).unlink()
    for name in LAST:
        (path / name).unlink(missing_ok=True)
    path.rmdir()
