"""Heartbeats: each process of a sweep counts up in the study, and watches whether the others do."""

import logging
import os
import secrets
import socket
import threading
import time
from pathlib import Path

import optuna

from trainyard.files import is_running
from trainyard.sweep.storage import open_storage

INTERVAL = 5.0  # seconds between two beats
PREFIX = "beats of "  # of a study's attribute
log = logging.getLogger(__name__)


class Heartbeat:
    """Beat in a separate thread within `with`; a process without a heartbeat for `grace` seconds counts as dead.

    Only the watcher's own clock counts, so that the clocks of machines need not agree.
    """

    def __init__(self, study: optuna.Study, location: str, grace: float) -> None:
        self.study, self.location, self.grace = study, location, grace
        self.name = f"{machine()} {os.getpid()} {secrets.token_hex(4)}"
        self.seen: dict[str, tuple[int, float, bool]] = {}  # of others: count, since when, whether it ever changed
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join(INTERVAL)

    def beat(self) -> None:
        """Count up until the end. A beat that the storage did not accept must not end the sweep."""
        study: optuna.Study | None = None
        count = 0
        while True:
            count += 1
            try:
                study = study or optuna.load_study(
                    study_name=self.study.study_name, storage=open_storage(self.location)
                )  # its own connection: this is another thread
                study.set_user_attr(PREFIX + self.name, count)
            except Exception as error:
                log.warning("the heartbeat could not be written to the storage: %s", error)
            if self.ended.wait(INTERVAL):
                return

    def is_dead(self, owner: str) -> bool:
        """Whether a trial's owner is dead: known at once on this machine, elsewhere after `grace` seconds."""
        if owner == self.name:
            return False
        host, _, rest = owner.partition(" ")
        pid = int(rest.partition(" ")[0] or 0)
        if host == machine() and (pid == os.getpid() or not is_running(pid)):
            return True
        _, since, _ = self.observe(owner)
        return time.monotonic() - since > self.grace

    def is_alive(self, owner: str) -> bool:
        """Whether its count was seen to change. Neither dead nor alive means: not known yet."""
        return owner == self.name or self.observe(owner)[2]

    def observe(self, owner: str) -> tuple[int, float, bool]:
        """A process's count, since when it has been so, and whether it changed while it was watched."""
        count = self.study.user_attrs.get(PREFIX + owner, 0)
        old = self.seen.get(owner)
        if old is None or old[0] != count:
            self.seen[owner] = (count, time.monotonic(), old is not None)
        return self.seen[owner]


def machine() -> str:
    """The host and, on Linux, the namespace of its process ids: containers on one host have their own."""
    try:
        return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
