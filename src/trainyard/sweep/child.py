"""A trial's own process."""

import multiprocessing
import os
import signal
import threading

from trainyard.compose import run_hydra
from trainyard.errors import explained
from trainyard.launch import train_one


def run(words: list[str], conf: str | None, environment: dict[str, str], log: str) -> None:
    """Train with these words, as the command line would; what is printed goes to the file `log`."""
    os.setsid()  # a Ctrl-C is for the sweep, which passes it on
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(environment)
    threading.Thread(target=end_with_parent, daemon=True).start()
    with explained("debug=true" in words):
        run_hydra(train_one, ["--config-dir", conf, *words] if conf else words)


def end_with_parent() -> None:
    """When the sweep is killed, stop as for a scheduler: with a resume point."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
