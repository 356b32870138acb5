"""Signals to the driver of a run, handed on to the processes that it has started.

It imports neither torch nor Lightning, so that a process obeys a signal while it is still importing them.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainyard.durability.signals import StopSignal

PIDS = "pids"  # folder of the processes' numbers
STOP = "stop"  # file with the first signal


class Forwarder(StopSignal):
    """Hand signals on to the processes; one that is still starting finds the signal in `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def handle(self, number: int, frame: object) -> None:
        """Send a signal to all processes; the first, and every Ctrl-C."""
        if self.received is not None and number != signal.SIGINT:
            return
        self.received = number if self.received is None else self.received
        (self.folder / STOP).write_text(str(int(number)))
        for file in (self.folder / PIDS).glob("*"):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(file.name), number)


@contextmanager
def processes_of(folder: Path) -> Iterator[Forwarder]:
    """Forward signals within `with`; what ran before handles them again afterwards."""
    (folder / PIDS).mkdir()
    quit_handler = signal.getsignal(signal.SIGQUIT)
    forwarder = Forwarder(folder)
    try:
        with forwarder:
            yield forwarder
    finally:
        with suppress(ValueError):  # another thread than the main one handles none
            signal.signal(signal.SIGQUIT, quit_handler)


def announce_process(folder: Path) -> None:
    """In a process that the driver has started: receive its signals, also one that came before."""
    (folder / PIDS / str(os.getpid())).touch()
    with suppress(FileNotFoundError, ValueError):
        os.kill(os.getpid(), int((folder / STOP).read_text()))
