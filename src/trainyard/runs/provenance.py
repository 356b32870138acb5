"""Where a run came from: code, packages, machine, data."""

import hashlib
import os
import platform
import subprocess
import sys
import sysconfig
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

from trainyard.machine import cpu_name

SOURCES = (".py", ".yaml", ".yml", ".toml", ".sh")  # untracked files of these kinds belong to the code that ran
MAX_SOURCE, MAX_NEW = 1 << 18, 50  # bytes of a file, and files


def environment() -> dict[str, Any]:
    """Command, code, machine and the version of every installed package, as plain values."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "command": [word.partition("=")[0] + "=..." if "storage=" in word else word for word in sys.argv],  # passwords
        "git_commit": git("rev-parse", "HEAD").decode().strip() or None,
        "git_status": git("status", "--porcelain").decode(errors="replace").splitlines(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": gpus,
        "packages": packages(),
        "sources": sources(),
    }


def changes() -> bytes:
    """What differs from the commit: the diff of tracked files, and the untracked source files as new ones."""
    listed = git("ls-files", "--others", "--exclude-standard", "-z", "--full-name", ":/").decode(errors="replace")
    top = Path(git("rev-parse", "--show-toplevel").decode().strip() or ".")
    new = [name for name in listed.split("\0") if name.endswith(SOURCES) and is_source(top / name)][:MAX_NEW]
    patches = [git("-C", str(top), "diff", "--no-index", "--", os.devnull, name, ok=(0, 1)) for name in new]
    return b"".join([git("diff", "HEAD"), *patches])


def is_source(file: Path) -> bool:
    """Whether a file is small, and not part of a run."""
    is_small = file.is_file() and not file.is_symlink() and file.stat().st_size < MAX_SOURCE
    return is_small and not (file.parent / "config.resolved.yaml").exists()


@cache
def packages() -> dict[str, str]:
    """The version of every installed package by name."""
    found = (dist.metadata for dist in distributions())  # parsed again at each access
    return dict(sorted((each["Name"], each["Version"]) for each in found if each["Name"]))


def sources() -> dict[str, str]:
    """A digest of the source files of each imported package, or module, that is not an installed one: a user's own."""
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
    found = {}
    for name in sorted({module.partition(".")[0] for module in sys.modules} - {"__main__"}):
        file = Path(getattr(sys.modules.get(name), "__file__", None) or "/")
        outside = not any(file.is_relative_to(folder) for folder in installed) and "site-packages" not in file.parts
        if outside and file.suffix == ".py" and file.is_file():
            files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
            found[name] = hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:16]
    return found


def git(*words: str, ok: tuple[int, ...] = (0,)) -> bytes:
    """What git prints in the working directory; empty outside a checkout, without git, and for other exit codes."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout if done.returncode in ok else b""
