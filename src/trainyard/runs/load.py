"""Open a run by its directory, by one of its checkpoints, or as the latest one."""

import logging
from collections.abc import Sequence
from pathlib import Path

from trainyard.durability.run_lock import read_status
from trainyard.errors import UserError, short_traceback
from trainyard.files import newest_first
from trainyard.runs.directory import RESOLVED, SUMMARY
from trainyard.runs.run import Run

OUTPUTS = Path("outputs")  # the default of run.root
CHECKPOINTS = ("best", "last")  # in RUN/checkpoints, as .ckpt
log = logging.getLogger(__name__)


@short_traceback
def load(path: str | Path, overrides: Sequence[str] = (), trust: bool = False) -> Run:
    """Open a run for reading: `load("outputs/...").predict(x)`; `overrides` and `trust` are those of `Run`.

    `path` is a run directory, its checkpoints/best.ckpt or last.ckpt (whose weights are used then), or "latest", the
    newest finished run below outputs/.
    """
    overrides = [word for word in overrides if word != "debug=true"]
    path = Path(path)
    if path == Path("latest") and not path.exists():
        path = latest_finished(OUTPUTS)
        log.info("run: %s", path)
    if path.suffix != ".ckpt":
        check_is_run(path)
        return Run(path, overrides, trust)
    folder = path.parent.parent
    if path.stem not in CHECKPOINTS or path.parent.name != "checkpoints" or not (folder / RESOLVED).is_file():
        raise UserError(f"{path} is not the best.ckpt or last.ckpt of a run; name the run directory, outputs/...")
    run = Run(folder, overrides, trust)
    run.checkpoint = path.stem
    return run


def latest_finished(root: Path) -> Path:
    """The newest finished run below `root`."""
    found = newest_first(root.rglob(SUMMARY))
    for path in found:
        if read_status(path).get("state") == "done":
            return path
    raise UserError(f"latest: there is no finished run below {root}")


def check_is_run(path: Path) -> None:
    """Raise UserError for a folder that is none, with a run below it if there is one."""
    below = newest_first([*path.glob(f"*/{RESOLVED}"), *path.glob(f"*/*/{RESOLVED}")])
    if not (path / RESOLVED).is_file() and below:
        raise UserError(f"{path} is not a run: it has no {RESOLVED}; the newest run below it is {below[0]}")
