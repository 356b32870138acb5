"""Stop on a signal, with a resume point: TERM and USR1 (a scheduler's), the first Ctrl-C."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import walk_stack
from types import FrameType, SimpleNamespace
from typing import Any

PREEMPTED, INTERRUPTED = 75, 130  # exit codes: EX_TEMPFAIL of sysexits.h (run again), and the shell's for Ctrl-C
_NAMES = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")  # of a scheduler, the keyboard, a terminal that was closed
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
IMPORT = 5.0  # seconds that a signal waits for the end of an import
_state = SimpleNamespace(depth=0, code=0)  # code: the exit code that a signal asks for; further ones do not change it


class Stopped(SystemExit):
    """The run has stopped because a signal asked it to, and can continue."""


@contextmanager
def exit_on_signal(ends_process: bool = False) -> Iterator[None]:
    """Exit immediately with a scheduler's exit code: before and after the training there is nothing to save.

    The exception that does so may be lost in someone else's code, or become another one; it is raised again here, and
    by the next signal. During an import none is raised (Python loses it in its callbacks, and C++ that is being loaded
    aborts the process): the signal comes again, and after IMPORT seconds the process ends without cleaning up. With
    `ends_process`, later signals are ignored: Python takes a second or more to end, and its exit code is settled.
    """
    stopped, imports, handled, since = False, count_imports(None), sys.exception(), 0.0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped, since
        is_importing, since = count_imports(frame) > imports, since or time.monotonic()
        if is_stopping(handled) or (is_importing and is_sent_again(number, since)):
            return
        if not _state.code:
            _write(f"\n{signal.Signals(number).name}: stopping; there is nothing to save\n")
        _state.code, stopped = _state.code or PREEMPTED, True
        if is_importing:
            kill_data_workers()
            os._exit(_state.code)
        raise Stopped(_state.code)

    before = {}
    if _state.code and _state.depth:
        raise Stopped(_state.code)
    _state.code = 0
    _state.depth += 1
    if threading.current_thread() is threading.main_thread():  # Python allows it nowhere else
        before = {number: signal.signal(number, stop) for number in not_ignored() if number != signal.SIGINT}
    try:
        yield
    except (Exception, SystemExit) as error:
        if stopped and not isinstance(error, Stopped):
            raise Stopped(_state.code) from error
        raise
    finally:
        _state.depth -= 1
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if ends_process else handler)


def count_imports(frame: FrameType | None) -> int:
    """How many frames of Python's import system there are from this one outwards; None: from the caller's."""
    return sum("<frozen importlib._bootstrap" in each.f_code.co_filename for each, _ in walk_stack(frame))


def is_sent_again(number: int, since: float) -> bool:
    """Whether this process gets a signal again in a moment: not when the first came IMPORT seconds ago."""
    if time.monotonic() > since + IMPORT:
        return False
    timer = threading.Timer(0.05, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
    return True


def is_stopping(handled: BaseException | None) -> bool:
    """Whether the code that runs cleans up after Stopped, or what has become of it; `handled` is an earlier error."""
    error = sys.exception()
    while error not in (None, handled) and not isinstance(error, Stopped):
        error = error.__context__
    return error not in (None, handled)


def wanted_exit_code() -> int:
    """The exit code that a signal has asked for; 0 if none has come."""
    return _state.code


def not_ignored() -> list[signal.Signals]:
    """The signals to obey: all but a HUP that this process was told to ignore, by nohup.

    (A shell tells every background process of a script to ignore Ctrl-C, but not who sends that signal on purpose.)
    """
    return [number for number in SIGNALS if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]


def _write(text: str) -> None:
    """Write to stderr, from a signal handler."""
    with suppress(OSError):  # the terminal was closed
        os.write(2, text.encode())


def kill_data_workers() -> None:
    """Kill the data workers of a training that has ended: they ignore the signal with which Python would end them.

    Meanwhile torch's handler is away, which would raise an error that a worker was killed, in the middle of reporting
    why the training has ended.
    """
    number, handler = getattr(signal, "SIGCHLD", None), None
    with suppress(ValueError, TypeError):  # another thread than the main one, or Windows
        handler = signal.signal(number, signal.SIG_DFL)  # pyright: ignore
    workers = [child for child in multiprocessing.active_children() if child.daemon]
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join(1)
    if handler is not None:
        signal.signal(number, handler)  # pyright: ignore


class StopSignal:
    """Remember the first signal; a second Ctrl-C ends the process at once, as a kill would."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignal":
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def listen(self) -> None:
        """Handle the signals from now on; does nothing in another thread than the main one (Python's rule).

        One that came before, and whose exception was lost, is obeyed now.
        """
        try:
            self.before = {number: signal.signal(number, self.handle) for number in not_ignored()}
        except ValueError:
            self.before = {}
            return
        if _state.depth and _state.code and self.received is None:
            self.handle(signal.SIGTERM, None)

    def release(self) -> None:
        """Restore the handlers that were there before."""
        while self.before:
            number, handler = self.before.popitem()
            signal.signal(number, handler)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Record the signal; on a second Ctrl-C, exit."""
        if number == signal.SIGINT == self.received:
            if "ipykernel" in sys.modules:
                raise KeyboardInterrupt
            # an exception raised within a logger's queue would leave its lock held, and the exit would wait for it
            kill_data_workers()
            os._exit(INTERRUPTED)
        if self.received is not None:
            return
        self.received, _state.code = number, INTERRUPTED if number == signal.SIGINT else PREEMPTED
        name = signal.Signals(number).name
        again = " (again: stop at once)" if number == signal.SIGINT else ""
        _write(f"\n{name}: writing a resume point after this batch, then stopping{again}\n")

    def error(self) -> Stopped:
        """What to raise once the resume point is written."""
        return Stopped(INTERRUPTED if self.received == signal.SIGINT else PREEMPTED)
