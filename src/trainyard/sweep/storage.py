"""Where a study is stored: a journal file, SQLite, or a database that several machines can reach."""

import os
import random
import time
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from trainyard.errors import UserError, printable

JOURNAL = "study.journal"
ATTEMPTS = 10  # at opening a database
MAX_BYTES = 1 << 28  # of a file; a trial takes some thousand


def locate(storage: str | None, folder: Path) -> str:
    """The URL, or the absolute path of the journal, which names the same study from every folder."""
    if storage is None:
        return str((folder / JOURNAL).absolute())
    if storage.startswith("sqlite:///"):
        return f"sqlite:///{Path(storage.removeprefix('sqlite:///')).expanduser().absolute()}"
    return storage if "://" in storage else str(Path(storage).expanduser().absolute())


def file_of(location: str) -> Path | None:
    """The file in which the study is stored; None for a database elsewhere."""
    return Path(location.removeprefix("sqlite:///")) if is_file(location) else None


def is_file(location: str) -> bool:
    """Whether the study is stored in a file."""
    return "://" not in location or location.startswith("sqlite:///")


def without_password(location: str) -> str:
    """The location without user and query, which may contain a password."""
    scheme, mark, rest = location.partition("://")
    if is_file(location):
        return location
    return f"{scheme}{mark}{'...@' if '@' in rest else ''}{rest.rpartition('@')[2].partition('?')[0]}"


def open_storage(location: str) -> BaseStorage:
    """The storage, created if it does not exist yet; UserError if it cannot be opened."""
    if is_file(location):
        _check_file(Path(location.removeprefix("sqlite:///")))
    if "://" not in location:
        try:
            return JournalStorage(Journal(Path(location)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:  # of lines that are no log
            raise UserError(f"hydra.sweeper.storage={location} is not a study ({printable(error)})") from error
    # two processes that start together both find no tables; the slower one fails to create them, and tries again
    options = {"connect_args": {"timeout": 60}} if is_file(location) else {"pool_pre_ping": True}
    for left in reversed(range(ATTEMPTS)):
        try:
            return RDBStorage(location, engine_kwargs=options)
        except Exception as error:
            if not left or isinstance(error, ImportError):
                raise UserError(
                    f"hydra.sweeper.storage={without_password(location)} cannot be opened ({type(error).__name__}: "
                    f"{str(error).splitlines()[0]}); a database needs its driver, PostgreSQL's is psycopg"
                ) from error
            time.sleep(random.uniform(0.1, 0.5))
    raise AssertionError


def _check_file(file: Path) -> None:
    """Make the folder of a study's file; UserError for a pipe or device, which may block, and for a huge file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not file.is_file():
        raise UserError(f"hydra.sweeper.storage={file} is not a regular file")
    if file.exists() and file.stat().st_size > MAX_BYTES:
        raise UserError(f"hydra.sweeper.storage={file} is larger than {MAX_BYTES:,} bytes; use a database")


class Journal(JournalFileBackend):
    """A journal file; an incomplete last line, left by a full disk or a power cut, is removed before one is added."""

    def __init__(self, file: Path) -> None:
        self.file, self.lock = file, JournalFileSymlinkLock(str(file))
        super().__init__(str(file), self.lock)
        self.repair()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Repair the file, then append."""
        self.repair()
        super().append_logs(logs)

    def repair(self) -> None:
        """Truncate the file after its last complete line."""
        if not _has_incomplete_line(self.file):
            return
        self.lock.acquire()
        try:
            if _has_incomplete_line(self.file):  # and no other process is just writing its line
                os.truncate(self.file, self.file.read_bytes().rfind(b"\n") + 1)
        finally:
            self.lock.release()


def _has_incomplete_line(file: Path) -> bool:
    """Whether the last line is incomplete."""
    if not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as open_file:
        open_file.seek(-1, os.SEEK_END)
        return open_file.read(1) != b"\n"
