"""Where a study is kept: a journal file, SQLite, or a database that several machines reach."""

import os
import random
import time
from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from trainyard.errors import UserError

JOURNAL = "study.journal"
TRIES = 10


def locate(storage: str | None, folder: Path) -> str:
    """The URL, or the absolute path of the journal, so that it is the same one from everywhere."""
    if storage is None:
        return str((folder / JOURNAL).absolute())
    if storage.startswith("sqlite:///"):
        return f"sqlite:///{Path(storage.removeprefix('sqlite:///')).expanduser().absolute()}"
    return storage if "://" in storage else str(Path(storage).expanduser().absolute())


def shown(location: str) -> str:
    """The location without a password that may stand in it."""
    scheme, mark, rest = location.partition("://")
    return f"{scheme}://...@{rest.rpartition('@')[2]}" if mark and "@" in rest else location


def open_storage(location: str) -> BaseStorage:
    """The storage, made if it is not there yet; UserError if it cannot be reached."""
    if "://" not in location:
        return journal(Path(location))
    if location.startswith("sqlite:///"):
        Path(location.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # two processes that begin together both find no tables: the slower one's are there already, and it looks again
    is_file = location.startswith("sqlite:///")
    options = {"connect_args": {"timeout": 60}} if is_file else {"pool_pre_ping": True}
    for left in reversed(range(TRIES)):
        try:
            return RDBStorage(location, engine_kwargs=options)
        except Exception as error:
            if not left or isinstance(error, ImportError):
                raise UserError(
                    f"hydra.sweeper.storage={shown(location)} cannot be opened ({type(error).__name__}: "
                    f"{str(error).splitlines()[0]}); a database needs its driver, PostgreSQL's is psycopg"
                ) from error
            time.sleep(random.uniform(0.1, 0.5))
    raise AssertionError


def journal(file: Path) -> JournalStorage:
    """A journal file; half a line that a full disk or a power cut left at its end is dropped, or none could read on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileSymlinkLock(str(file))
    if torn(file):
        lock.acquire()
        try:
            if torn(file):
                os.truncate(file, file.read_bytes().rfind(b"\n") + 1)
        finally:
            lock.release()
    return JournalStorage(JournalFileBackend(str(file), lock))


def torn(file: Path) -> bool:
    """Whether the last line has no end."""
    if not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as open_file:
        open_file.seek(-1, os.SEEK_END)
        return open_file.read(1) != b"\n"
