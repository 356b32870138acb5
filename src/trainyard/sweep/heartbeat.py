"""Heartbeats: each process of a sweep shows that it lives, and watches whether the others do.

Beside a study in a file, a beat is a new time of the process's own file; in a database, a count in the study. (A
journal keeps all that was ever written to it, and every trial reads it from its beginning.)
"""

import itertools
import logging
import os
import secrets
import socket
import threading
import time
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, unquote

import optuna

from trainyard.files import is_running, open_regular
from trainyard.sweep.storage import file_of, open_storage

INTERVAL = 5.0  # seconds between two beats
PREFIX = "beats of "  # of a study's attribute
FOLDER = ".heartbeats"  # beside a study's file
log = logging.getLogger(__name__)


class Heartbeat:
    """Beat in a separate thread within `with`; a process without a heartbeat for `grace` seconds counts as dead.

    Only the watcher's own clock counts, so that the clocks of machines need not agree: a beat is any change.
    """

    def __init__(self, study: optuna.Study, location: str, grace: float) -> None:
        self.study, self.location, self.grace = study, location, grace
        file = file_of(location)
        self.folder = file.parent / FOLDER if file else None
        self.name = f"{machine()} {os.getpid()} {secrets.token_hex(4)}"
        self.seen: dict[str, tuple[int, float]] = {}  # of others: the last beat, since when
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        self.remove_files()
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join(INTERVAL)
        self.remove_files()

    def beat(self) -> None:
        """Beat until the end. A beat that could not be written must not end the sweep."""
        for count in itertools.count(1):
            try:
                self.write(count)
            except Exception as error:
                log.warning("the heartbeat could not be written: %s", error)
            if self.ended.wait(INTERVAL):
                return

    def write(self, count: int) -> None:
        """Make the beat of this number visible to the other processes."""
        if self.folder is None:
            self.own_study.set_user_attr(PREFIX + self.name, count)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / quote(self.name, safe="")).touch()

    @cached_property
    def own_study(self) -> optuna.Study:
        """The study through a connection of its own, for the thread that beats."""
        return optuna.load_study(study_name=self.study.study_name, storage=open_storage(self.location))

    def last_beat(self, owner: str) -> int:
        """What changes with each beat of a process; 0 before the first."""
        if self.folder is None:
            return self.study.user_attrs.get(PREFIX + owner, 0)
        try:
            with open_regular(self.folder / quote(owner, safe="")) as file:  # opened: else NFS answers from its cache
                return os.fstat(file.fileno()).st_mtime_ns
        except OSError:
            return 0

    def is_dead(self, owner: str) -> bool:
        """Whether a trial's owner is dead: known at once on this machine, elsewhere after `grace` seconds."""
        if owner == self.name:
            return False
        if is_gone(owner):
            return True
        beat, old = self.last_beat(owner), self.seen.get(owner)
        if old is None or old[0] != beat:
            self.seen[owner] = (beat, time.monotonic())
        return time.monotonic() - self.seen[owner][1] > self.grace

    def remove_files(self) -> None:
        """Delete the files of processes that are gone from this machine: before the first beat and after the last."""
        for file in self.folder.glob("*") if self.folder else ():
            if is_gone(unquote(file.name)):
                file.unlink(missing_ok=True)


def is_gone(owner: str) -> bool:
    """Whether another process was on this machine and is not any more, or had this one's number before it."""
    host, _, rest = owner.partition(" ")
    pid = rest.partition(" ")[0]
    if host != machine() or not pid.isdecimal() or len(pid) > 9:
        return False
    return int(pid) == os.getpid() or not is_running(int(pid))


def machine() -> str:
    """The host and, on Linux, the namespace of its process ids: containers on one host have their own."""
    try:
        return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
