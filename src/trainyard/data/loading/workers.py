"""The processes that load batches."""

import multiprocessing
import os
import signal
import sys
from types import TracebackType


def start_worker(worker: int) -> None:
    """Ignore signals in a data worker: a terminal or scheduler signals all processes, and the main one decides.

    A worker whose main process was killed while it started ends here. (torch's worker looks for another parent than the
    one that it began with, and would wait for ever.)
    """
    for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])):
        signal.signal(number, signal.SIG_IGN)
    sys.excepthook = print_unless_main_ended
    main = multiprocessing.parent_process()
    if main is not None and not main.is_alive():
        os._exit(1)


def print_unless_main_ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the error of a data worker's thread, unless it is that the main process ended, which says why itself."""
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, trace)
