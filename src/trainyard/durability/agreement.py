"""What several processes decide together: to stop, to write a resume point.

Signals and clocks are a process's own, so that each would decide at another step, and wait for the others forever.
"""

import signal
import time

from trainyard.collectives import largest, rank, world_size
from trainyard.durability.signals import INTERRUPTED, PREEMPTED, Stopped, StopSignal

SECONDS = 1.0  # between two agreements, about
MOST = 1000  # calls between two, at most


class Agreement:
    """Ask all processes about once a second whether to stop or to write a resume point.

    All of them call `reach` equally often. After how many calls they ask again is agreed on as well: at most twice as
    many as the last time, since those that come may take longer (a GPU that has work queued returns at once). One
    process alone asks itself, each time.
    """

    def __init__(self) -> None:
        self.every, self.calls, self.asked_at = 1, 0, time.monotonic()
        self.exit_code = 0  # with which to stop; 0: go on

    def reach(self, stop: StopSignal, is_due: bool = False, now: bool = False) -> bool:
        """Whether a resume point is wanted: since it is due, by the clock of rank 0, or to stop. `now` always asks."""
        wanted = PREEMPTED if stop.received is not None else 0
        wanted = INTERRUPTED if stop.received == signal.SIGINT else wanted
        if world_size() == 1:
            self.exit_code = wanted
            return is_due or wanted > 0
        self.calls += 1
        if self.calls < self.every and not now:
            return False
        passed, self.asked_at = time.monotonic() - self.asked_at, time.monotonic()
        pace = int(SECONDS * self.calls / max(passed, 1e-9))
        self.exit_code, is_due_there, slowest = largest([wanted, is_due and rank() == 0, -pace])
        self.every, self.calls = min(max(-slowest, 1), 2 * self.every, MOST), 0
        return bool(is_due_there) or self.exit_code > 0

    def ask_soon(self) -> None:
        """Ask at the next call, as a training batch may take much longer than one of validation."""
        self.every = 1

    def raise_if_stopped(self) -> None:
        """Raise Stopped if a process was told to stop."""
        if self.exit_code:
            raise Stopped(self.exit_code)
