"""Find a run by its directory, by one of its checkpoints, or as the latest one; without torch."""

import logging
from pathlib import Path

from trainyard.durability.run_lock import read_status
from trainyard.errors import UserError
from trainyard.files import newest_first
from trainyard.runs.directory import RESOLVED, SUMMARY

OUTPUTS = Path("outputs")  # the default of run.root
CHECKPOINTS = ("best", "last")  # in RUN/checkpoints, as .ckpt
log = logging.getLogger(__name__)


def find_run(path: str | Path) -> tuple[Path, str]:
    """A run's directory, and whose weights are meant (best or last); `path` is that of `load`. UserError for no run."""
    path = Path(path)
    if path == Path("latest") and not path.exists():
        path = latest_finished(OUTPUTS)
        log.info("run: %s", path)
    if path.suffix != ".ckpt":
        check_is_run(path)
        return path, "best"
    folder = path.parent.parent
    if path.stem not in CHECKPOINTS or path.parent.name != "checkpoints" or not (folder / RESOLVED).is_file():
        raise UserError(f"{path} is not the best.ckpt or last.ckpt of a run; name the run directory, outputs/...")
    return folder, path.stem


def latest_finished(root: Path) -> Path:
    """The newest finished run below `root`."""
    found = newest_first(root.rglob(SUMMARY))
    for path in found:
        if read_status(path).get("state") == "done":
            return path
    raise UserError(f"latest: there is no finished run below {root}")


def check_is_run(path: Path) -> None:
    """Raise UserError for a folder that is none, with a run below it if there is one."""
    if (path / RESOLVED).is_file():
        return
    below = newest_first([*path.glob(f"*/{RESOLVED}"), *path.glob(f"*/*/{RESOLVED}")])
    more = f"; the newest run below it is {below[0]}" if below else ""
    raise UserError(f"{path} is not a run: it has no {RESOLVED}{more}")
