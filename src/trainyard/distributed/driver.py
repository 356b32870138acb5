"""Start the processes of a run on this machine, and end with them.

torch.distributed.run's agent starts them and ends all when one has failed. (Lightning's own launcher would run the
command line again in each of them: under -m that is the whole sweep.)
"""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from trainyard.distributed.failures import ERROR, Failure, delete_failures, read_failures, summarize_failures
from trainyard.distributed.forwarding import Forwarder, processes_of
from trainyard.distributed.ranks import STARTED_HERE
from trainyard.durability.signals import INTERRUPTED, PREEMPTED, Stopped
from trainyard.errors import UserError

UNUSED_SIGNAL = "SIGQUIT"  # all that torch's agent may handle; the others are handed on
log = logging.getLogger(__name__)


class ProcessError(UserError):
    """A run ended since one of its processes failed; that process has left its traceback in crash.txt."""


def drive(words: Sequence[str], path: Path, processes: int, timeout: float, max_restarts: int, folder: Path) -> None:
    """Run `python *words` in so many processes, again up to `max_restarts` times if one dies.

    Raises Stopped if a signal stopped them, ProcessError if one failed.
    """
    with processes_of(folder) as forwarder:
        delete_failures(path)
        for restart in range(max_restarts + 1):
            exits = start(words, processes, folder)
            if exits is None:
                return
            failures = read_failures(path)
            if not any(failure.kind == ERROR and failure.is_users for failure in failures):  # as a full disk
                raise_if_stopped(exits, forwarder)
            error, may_help = explain(exits, failures, processes, timeout, folder)
            delete_failures(path)
            if restart == max_restarts or not may_help:
                raise error
            log.warning("%s: starting all processes again (%d of %d)", error, restart + 1, max_restarts)


def start(words: Sequence[str], processes: int, folder: Path) -> dict[int, ProcessFailure] | None:
    """Run the processes once; None if all succeeded, else how each of those that failed ended, the first one first."""
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # it tells of each process in 20 lines
    os.environ[STARTED_HERE] = "1"
    output = Path(tempfile.mkdtemp(prefix="output-", dir=folder))
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, max_restarts=0, monitor_interval=0.1,
        run_id=output.name, rdzv_backend="c10d", rdzv_endpoint="localhost:0", signals_to_handle=UNUSED_SIGNAL,
        local_addr="127.0.0.1",
        logs_specs=DefaultLogsSpecs(str(output), redirects=dict.fromkeys(range(1, processes), Std.ALL)),
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)(*words)
    except ChildFailedError as error:
        return in_order(error.failures)
    finally:
        os.environ.pop(STARTED_HERE, None)
    return None


def in_order(failures: Mapping[int, ProcessFailure]) -> dict[int, ProcessFailure]:
    """The processes that failed, the first one first.

    Of those that were found in the same second it is one that was killed: the others may have failed for want of it.
    (Torch's agent ends those that are left with SIGTERM, and with SIGKILL 30 s later.)
    """
    since = min(failure.timestamp for failure in failures.values()) + 1

    def order(rank: int) -> tuple[bool, bool]:
        failure = failures[rank]
        return failure.timestamp > since, not (failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM)

    return {rank: failures[rank] for rank in sorted(failures, key=order)}


def raise_if_stopped(exits: dict[int, ProcessFailure], forwarder: Forwarder) -> None:
    """Raise Stopped if a signal, sent to this process or to one of the others, has stopped them."""
    codes = [failure.exitcode for failure in exits.values()]
    if forwarder.received is not None:
        raise forwarder.error()
    if codes[0] in (PREEMPTED, INTERRUPTED):
        raise Stopped(codes[0])


def explain(
    exits: dict[int, ProcessFailure], failures: Sequence[Failure], processes: int, timeout: float, folder: Path
) -> tuple[ProcessError, bool]:
    """The error to raise, and whether starting again may help."""
    rank, first = next(iter(exits.items()))
    own = [failure for failure in failures if failure.kind == ERROR]
    if first.exitcode < 0 and not own:
        name = signal.Signals(-first.exitcode).name
        memory = ", in most cases by the operating system for lack of memory" if name == "SIGKILL" else ""
        return ProcessError(f"rank {rank} was killed ({name}){memory}"), True
    if not failures:
        return ProcessError(f"rank {rank} ended with code {first.exitcode}{last_words(folder, rank)}"), True
    text, by = summarize_failures(failures, processes, timeout)
    error = ProcessError(text if by in (None, 0) else f"rank {by}: {text}")
    for note in own[0].notes if own else ():
        error.add_note(note)
    return error, not (own and own[0].is_users)


def last_words(folder: Path, rank: int) -> str:
    """The last line that a process wrote to stderr, where that went to a file."""
    files = sorted(folder.glob(f"output-*/*/*/{rank}/stderr.log"))
    lines = files[-1].read_text(errors="replace").strip().splitlines() if files else []
    return f": {lines[-1][:300]}" if lines else ""
