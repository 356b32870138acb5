"""The files of resume points: which there are, the newest that is whole, and what each tells of itself."""

import logging
import re
from pathlib import Path

from trainyard.errors import UserError
from trainyard.trust.checkpoint_files import integrity_error, load_checkpoint
from trainyard.trust.shards import shards_error

LAST = "last.ckpt"
NAME = re.compile(r"resume-(\d+)\.ckpt")
log = logging.getLogger(__name__)


def resume_points(folder: Path) -> list[Path]:
    """The resume points in a folder of checkpoints, the one after most steps first; the end of a training is one.

    (Not the newest by the clock, which may have been set back.)
    """
    found = [*folder.glob("resume-*.ckpt"), *folder.glob(LAST)]
    return sorted(found, key=lambda path: (step_of(path), path.name == LAST), reverse=True)


def is_resume_point(path: Path) -> bool:
    """Whether a checkpoint is a resume point, by its name."""
    return path.name == LAST or NAME.fullmatch(path.name) is not None


def step_of(path: Path) -> int:
    """The optimizer steps before a checkpoint; -1 for a file that is damaged."""
    if match := NAME.fullmatch(path.name):
        return int(match[1])
    try:
        return int(load_checkpoint(path, whole=False, mmap=True)["global_step"])
    except (UserError, KeyError, TypeError, ValueError):
        return -1


def newest_intact(folder: Path) -> Path | None:
    """The newest resume point that is whole; a damaged one is reported and skipped."""
    for path in resume_points(folder):
        if (reason := point_error(path)) is None:
            return path
        log.warning("%s is damaged (%s): using the resume point before it", path, reason)
    return None


def point_error(path: Path) -> str | None:
    """What is wrong with a resume point; None if it is whole, with its shards if it has some."""
    if reason := integrity_error(path):
        return reason
    try:
        return shards_error(path, load_checkpoint(path, whole=False, mmap=True))
    except UserError as error:
        return str(error)


def first_step_to_log(path: Path) -> int:
    """The step from which on a run that resumes there logs again."""
    return int(load_checkpoint(path, whole=False, mmap=True)["logged_step"])
