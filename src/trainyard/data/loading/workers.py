"""The processes that load batches."""

import signal
import sys
from types import TracebackType


def ignore_signals(worker: int) -> None:
    """Ignore signals in a data worker: a terminal or scheduler signals all processes, and the main one decides."""
    for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])):
        signal.signal(number, signal.SIG_IGN)
    sys.excepthook = print_unless_main_ended


def print_unless_main_ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the error of a data worker's thread, unless it is that the main process ended, which says why itself."""
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, trace)
