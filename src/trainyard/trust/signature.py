"""Whose run it is: a run directory carries a signature that only its maker's key can have made."""

import hmac
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs

from trainyard.files import read_small, write_durably

SIGNATURE, SIGNATURE_0_1 = ".signature", ".seal"  # the file, and its name in runs of version 0.1
COMPOSED, RESOLVED = "config.yaml", "config.resolved.yaml"
CHOICES, OVERRIDES = "choices.yaml", "overrides.yaml"  # config group: chosen option; the words as typed
SIGNED_FILES = (COMPOSED, CHOICES, OVERRIDES, RESOLVED)  # they name the code that runs
LENGTH = 32  # bytes of a key
log = logging.getLogger(__name__)


def sign(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Sign these contents of files that are about to be written, besides those that are there.

    So a run is its user's own at every instant. Without a home folder to keep a key in, it stays unsigned.
    """
    try:
        present = (read_signed(folder) or {}).items()
        lines = [_digest(name, content) for name, content in (*present, *contents.items())]
        write_durably(folder / SIGNATURE, lambda file: file.write(b"\n".join(dict.fromkeys(lines)) + b"\n"))
    except OSError as error:
        log.warning(
            "%s cannot be signed as yours (%s): other commands will read it as data, and resume=%s will need "
            "trust=true; XDG_DATA_HOME names another folder for the key", folder, error, folder,
        )  # fmt: skip


def read_signed(folder: Path) -> dict[str, bytes] | None:
    """The contents of the signed files; None unless this user made all of them and nobody has changed one since."""
    try:
        name = SIGNATURE if (folder / SIGNATURE).exists() else SIGNATURE_0_1
        digests = set(read_small(folder / name).splitlines())
        contents = {name: read_small(folder / name) for name in SIGNED_FILES}
        return contents if all(_digest(name, content) in digests for name, content in contents.items()) else None
    except OSError:
        return None


def keyed_digest(name: str, content: bytes) -> str:
    """The HMAC-SHA256 of a name and a content under this user's key; OSError without a key."""
    return hmac.new(_key(), f"{name}\n".encode() + content, "sha256").hexdigest()


def _digest(name: str, content: bytes) -> bytes:
    """The line of a file in the signature."""
    return keyed_digest(name, content).encode()


def _key() -> bytes:
    """This user's own key, readable by nobody else, made when it is first needed. OSError without one."""
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
        raise OSError(f"{file} has {len(found)} bytes instead of {LENGTH}; delete it")
    return found
