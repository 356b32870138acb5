"""What a run directory says about its run, read as data: whatever is missing or of another kind is left out."""

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.config_keys import flatten
from trainyard.durability.run_lock import is_locked
from trainyard.errors import UserError, printable
from trainyard.files import open_regular, read_mapping
from trainyard.trust.safe_yaml import read_config, read_yaml
from trainyard.trust.signature import CHOICES, OVERRIDES, RESOLVED

READ = (
    RESOLVED, CHOICES, OVERRIDES, "summary.json", "status.json", "environment.json", "metrics.jsonl", "run.log",
    "crash.txt",
)  # fmt: skip
MAX_LINES, MAX_TAIL = 20, 1 << 16  # of warnings; bytes at the end of a log
WARNING = re.compile(r"^[\d-]{10} [\d:,]{8,12} (WARNING|ERROR|CRITICAL) ")


@dataclass(frozen=True)
class Facts:
    """The content of a run directory."""

    path: Path
    config: dict[str, Any]  # resolved, by dotted key
    choices: dict[str, Any]
    typed: list[str]  # the overrides
    summary: dict[str, Any]
    status: dict[str, Any]
    environment: dict[str, Any]
    warnings: list[str]  # of its log
    crash: str  # the end of its crash.txt
    has_diff: bool

    @property
    def monitor(self) -> str:
        """The metric that chose the best weights."""
        return str(self.summary.get("monitor") or self.config.get("monitor") or "")

    @property
    def state(self) -> str:
        """What has become of the run, as `trainyard ls` calls it: done, failed, running, or stopped."""
        said = printable(self.status.get("state", ""))
        is_here = self.status.get("host") == socket.gethostname()  # where its lock can be seen
        is_killed = said == "running" and is_here and not is_locked(self.path)
        return "stopped" if is_killed or said in ("preempted", "interrupted") else said

    def scores(self, split: str) -> dict[str, float]:
        """The numbers of summary.json by metric: best (of validation) or test."""
        found = self.summary.get(split)
        items = found.items() if isinstance(found, dict) else ()
        return {str(name).partition("/")[2]: value for name, value in items if isinstance(value, int | float)}


def read_facts(path: Path) -> Facts:
    """Read a run directory; UserError if it has no config that can be read, or if one of its files is a link.

    (The page may be mailed: nothing from elsewhere on this machine may get into it.)
    """
    if link := next((path / name for name in READ if (path / name).is_symlink()), None):
        raise UserError(f"{printable(link, 300)} is a link; a page contains only what is in the run directory")
    choices = read_yaml(path / CHOICES) if (path / CHOICES).is_file() else {}
    typed = read_yaml(path / OVERRIDES) if (path / OVERRIDES).is_file() else []
    log = tail(path / "run.log").splitlines()
    return Facts(
        path=path,
        config=flatten(read_config(path / RESOLVED)),
        choices=choices if isinstance(choices, dict) else {},
        typed=[word for word in typed if isinstance(word, str)] if isinstance(typed, list) else [],
        summary=read_mapping(path / "summary.json"),
        status=read_mapping(path / "status.json"),
        environment=read_mapping(path / "environment.json"),
        warnings=[line for line in log if WARNING.match(line)][-MAX_LINES:],
        crash=tail(path / "crash.txt", 4000),
        has_diff=(path / "diff.patch").is_file(),
    )


def tail(file: Path, most: int = MAX_TAIL) -> str:
    """The end of a text file; empty without one."""
    try:
        with open_regular(file) as opened:
            opened.seek(max(0, os.fstat(opened.fileno()).st_size - most))
            return opened.read(most).decode("utf-8", "replace")
    except OSError:
        return ""
