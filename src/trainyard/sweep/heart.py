"""Signs of life: each process counts up in the study, and looks whether the others do."""

import logging
import os
import secrets
import socket
import threading
import time
from pathlib import Path

import optuna

from trainyard.reliability.files import is_alive
from trainyard.sweep.storage import open_storage

EVERY = 5.0  # seconds between two beats
PREFIX = "beats of "
log = logging.getLogger(__name__)


class Heart:
    """Beats in a thread of its own from `with` on; `grace` seconds without a beat are another's death.

    Only the watcher's own clock counts, so that the clocks of machines need not agree.
    """

    def __init__(self, study: optuna.Study, location: str, grace: float) -> None:
        self.study, self.location, self.grace = study, location, grace
        self.name = f"{machine()} {os.getpid()} {secrets.token_hex(4)}"
        self.seen: dict[str, tuple[int, float, bool]] = {}  # of others: the count, since when, whether it ever moved
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.beat, daemon=True)

    def __enter__(self) -> "Heart":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(EVERY)

    def beat(self) -> None:
        """Count up until it is over. A beat that the storage did not take must not end the sweep."""
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
                log.warning("no sign of life could be left in the storage: %s", error)
            if self.over.wait(EVERY):
                return

    def is_dead(self, owner: str) -> bool:
        """Whether a trial's owner is gone: at once where its process can be looked for, else after `grace`."""
        if owner == self.name:
            return False
        host, _, rest = owner.partition(" ")
        pid = int(rest.partition(" ")[0] or 0)
        if host == machine() and (pid == os.getpid() or not is_alive(pid)):
            return True
        _, since, _ = self.look(owner)
        return time.monotonic() - since > self.grace

    def is_alive(self, owner: str) -> bool:
        """Whether it was seen to beat. Neither dead nor alive: not known yet."""
        return owner == self.name or self.look(owner)[2]

    def look(self, owner: str) -> tuple[int, float, bool]:
        """How often it has beaten, since when it has been so, and whether that changed while it was watched."""
        count = self.study.user_attrs.get(PREFIX + owner, 0)
        old = self.seen.get(owner)
        if old is None or old[0] != count:
            self.seen[owner] = (count, time.monotonic(), old is not None)
        return self.seen[owner]


def machine() -> str:
    """The host and, on Linux, the space of its process numbers: containers of one host have their own."""
    try:
        return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
