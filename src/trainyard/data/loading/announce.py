"""Say what a user waits for before the training starts."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Timer
from time import perf_counter

SLOW = 2.0  # seconds
log = logging.getLogger(__name__)


@contextmanager
def announced(what: str, at_once: bool = False) -> Iterator[None]:
    """Log what is being done, once it has taken SLOW seconds or `at_once`, and then how long it took."""
    started, said = perf_counter(), Event()

    def say() -> None:
        log.info("%s", what)
        said.set()

    timer = None if at_once or SLOW <= 0 else Timer(SLOW, say)
    timer.start() if timer else say()
    try:
        yield
    finally:
        if timer:
            timer.cancel()
            timer.join()
    if said.is_set():
        log.info("done in %.1f s", perf_counter() - started)
