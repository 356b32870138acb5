"""A trial's own process."""

import multiprocessing
import os
import signal
import threading

from trainyard.config.compose import run_hydra
from trainyard.errors import exit_on_error
from trainyard.training.launch import hydra_trial


def run_trial(words: list[str], conf: str | None, environment: dict[str, str], log: str) -> None:
    """Train with these words, as the command line would; what is printed goes to the file `log`."""
    os.setsid()  # Ctrl-C is for the sweep, which passes it on
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(environment)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with exit_on_error("debug=true" in words):
        run_hydra(hydra_trial, ["--config-dir", conf, *words] if conf else words)


def _stop_with_parent() -> None:
    """When the sweep is killed, stop as for a scheduler: with a resume point."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
