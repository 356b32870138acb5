"""Which of several processes failed first, and why: each leaves a report, of which one is shown."""

import json
import os
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch.distributed as dist

from trainyard.distributed.rendezvous import named_ranks
from trainyard.errors import LostProcessError, UserError, describe_error
from trainyard.files import read_mapping, write_durably

FOLDER = ".failures"  # in the run directory
PATIENCE = 3.0  # seconds in which the process that has failed first, or others that wait as well, leave their reports
ERROR, LOST, LATE = "error", "lost", "late"  # its own error; another process is gone; others did not come in time
STOPPED = "stopped"  # by a signal that it alone has got; the text is its exit code
_LOST = re.compile(
    r"\bgloo\b|\bnccl\b|connection (closed|reset|refused)|pair closure|broken pipe|process ?group", re.IGNORECASE
)
_LATE = re.compile(r"timed? ?out|timeout", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """The report of one process."""

    rank: int
    host: str
    kind: str  # ERROR, LOST or LATE
    text: str
    is_users: bool  # a mistake that the user can fix: to start again would not help
    time: float
    notes: tuple[str, ...] = ()


def kind_of(error: BaseException) -> str:
    """Whether an error is the process's own, or follows from that of another one."""
    if isinstance(error, LostProcessError):
        return LOST
    if isinstance(error, UserError) or not isinstance(error, RuntimeError):
        return ERROR
    if isinstance(error, dist.DistError) or _LOST.search(str(error)):
        return LATE if _LATE.search(str(error)) else LOST
    return ERROR


def report_failure(error: Exception, rank: int, path: Path) -> Failure:
    """Write the report of an error into the run directory."""
    notes = tuple(getattr(error, "__notes__", ()))
    is_users = isinstance(error, UserError)
    failure = Failure(rank, socket.gethostname(), kind_of(error), describe_error(error), is_users, time.time(), notes)
    write_report(failure, path)
    return failure


def report_stop(code: int, rank: int, path: Path) -> None:
    """Write into the run directory that a signal ends this process with that exit code."""
    write_report(Failure(rank, socket.gethostname(), STOPPED, str(code), False, time.time()), path)


def write_report(failure: Failure, path: Path) -> None:
    """Write a report into the run directory."""
    text = json.dumps(asdict(failure)).encode()
    with suppress(OSError):  # a full disk: who reads it is told by the exit code alone
        (path / FOLDER).mkdir(exist_ok=True)  # not the run directory, which a refusal may have removed
        write_durably(path / FOLDER / f"{failure.rank}.json", lambda file: file.write(text))


def read_failures(path: Path) -> list[Failure]:
    """The reports in a run directory, the first of them first."""
    found = []
    for content in map(read_mapping, (path / FOLDER).glob("*.json")):
        with suppress(TypeError, KeyError):  # an incomplete one
            found.append(Failure(**{**content, "notes": tuple(content["notes"])}))
    return sorted(found, key=lambda failure: (failure.kind != ERROR, failure.time))


def delete_failures(path: Path) -> None:
    """Delete the reports of an earlier attempt."""
    for file in (path / FOLDER).glob("*.json"):
        file.unlink(missing_ok=True)
    if (path / FOLDER).is_dir():
        os.rmdir(path / FOLDER)  # noqa: PTH106  only if it is empty


def summarize_failures(failures: Sequence[Failure], world_size: int, timeout: float) -> tuple[str, int | None]:
    """What to tell the user, and which rank says so; None where no process has an error of its own."""
    first = next(iter(failures), None)
    if first is None:
        return "the processes ended without a report", None
    if first.kind == ERROR:
        is_common = sum(failure.text == first.text for failure in failures) > 1
        return first.text, None if is_common else first.rank
    late = sorted(failure.rank for failure in failures if failure.kind == LATE)
    missing = [rank for rank in range(world_size) if rank not in {failure.rank for failure in failures}]
    if late and missing:
        return (
            f"{named_ranks(missing)} did not arrive within {timeout:g} s (hardware.timeout), where "
            f"{named_ranks(late)} waited for {'it' if len(missing) == 1 else 'them'}: it hangs, or is much slower",
            None,
        )
    if missing:
        return f"{named_ranks(missing)} ended without a report, as when it is killed", None
    return f"the processes lost each other: {first.text}", None
