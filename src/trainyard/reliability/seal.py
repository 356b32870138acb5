"""Whose run it is: a run directory carries a seal that only its maker's key can have made."""

import hmac
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs

from trainyard.reliability.files import read_small, write

SEAL = ".seal"
SEALED = ("config.yaml", "choices.yaml", "overrides.yaml", "config.resolved.yaml")  # what names the code that runs
LENGTH = 32  # bytes of a key


def put_seal(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Allow these contents for files that are about to be written, beside those that are there.

    So a run is its user's own at every instant. Without a home to keep a key in, it stays unmarked.
    """
    with suppress(OSError):
        there = (own_files(folder) or {}).items()
        lines = [digest(name, content) for name, content in (*there, *contents.items())]
        write(folder / SEAL, lambda file: file.write(b"\n".join(dict.fromkeys(lines)) + b"\n"))


def own_files(folder: Path) -> dict[str, bytes] | None:
    """What the sealed files hold, if this user made them and nobody has changed one since."""
    try:
        allowed = set(read_small(folder / SEAL).splitlines())
        contents = {name: read_small(folder / name) for name in SEALED}
        return contents if all(digest(name, content) in allowed for name, content in contents.items()) else None
    except OSError:
        return None


def digest(name: str, content: bytes) -> bytes:
    """The keyed digest (HMAC-SHA256) of a file."""
    return hmac.new(key(), f"{name}\n".encode() + content, "sha256").hexdigest().encode()


def key() -> bytes:
    """This user's own, made when it is first needed; for no one else to read. OSError without one."""
    file = platformdirs.user_data_path("trainyard") / "key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".key.{os.getpid()}.part")
        try:
            part.touch(0o600)
            with part.open("wb") as out:
                out.write(os.urandom(LENGTH))
                os.fsync(out.fileno())
            with suppress(FileExistsError):
                os.link(part, file)  # the first of several processes wins
        finally:
            part.unlink(missing_ok=True)
    found = file.read_bytes()
    if len(found) != LENGTH:
        raise OSError(f"{file} holds {len(found)} bytes, not {LENGTH}; delete it")
    return found
