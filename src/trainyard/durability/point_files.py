"""The files of resume points: which there are, the newest that is whole, and what each tells of itself."""

import logging
import re
from pathlib import Path

from trainyard.errors import UserError
from trainyard.trust.checkpoint_files import integrity_error, load_checkpoint

LAST = "last.ckpt"
NAME = re.compile(r"resume-(\d+)\.ckpt")
log = logging.getLogger(__name__)


def resume_points(folder: Path) -> list[Path]:
    """The resume points in a folder of checkpoints, the one after most steps first; the end of a training is one.

    (Not the newest by the clock, which may have been set back.)
    """
    found = [*folder.glob("resume-*.ckpt"), *folder.glob(LAST)]
    return sorted(found, key=lambda path: (step_of(path), path.name == LAST), reverse=True)


def step_of(path: Path) -> int:
    """The optimizer steps before a checkpoint; -1 for a file that is damaged."""
    if match := NAME.fullmatch(path.name):
        return int(match[1])
    try:
        return int(load_checkpoint(path, mmap=True)["global_step"])
    except (UserError, KeyError, TypeError, ValueError):
        return -1


def newest_intact(folder: Path) -> Path | None:
    """The newest resume point that is whole; a damaged one is reported and skipped."""
    for path in resume_points(folder):
        if (reason := integrity_error(path)) is None:
            return path
        log.warning("%s is damaged (%s): using the resume point before it", path, reason)
    return None


def first_step_to_log(path: Path) -> int:
    """The step from which on a run that resumes there logs again."""
    return int(load_checkpoint(path, mmap=True)["logged_step"])
