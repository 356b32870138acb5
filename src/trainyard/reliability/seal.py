"""Whose run it is: a run directory carries a seal that only its maker's key can have made."""

import hmac
import os
from contextlib import suppress
from pathlib import Path

import platformdirs

SEAL = ".seal"
SEALED = ("config.yaml", "config.resolved.yaml", "choices.yaml", "overrides.yaml")  # what names the code that runs


def put_seal(folder: Path) -> None:
    """Mark a run as this user's own, wherever it is moved; without a home to keep a key in, it stays unmarked."""
    with suppress(OSError):
        (folder / SEAL).write_text(seal(folder))


def is_own(folder: Path) -> bool:
    """Whether this user made the run and nobody has changed its config since."""
    try:
        return hmac.compare_digest((folder / SEAL).read_text(), seal(folder))
    except (OSError, ValueError):
        return False


def seal(folder: Path) -> str:
    """The keyed digest (HMAC-SHA256) of what the run directory says it would run."""
    digest = hmac.new(key(), digestmod="sha256")
    for name in SEALED:
        content = (folder / name).read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def key() -> bytes:
    """This user's own, made when it is first needed; for no one else to read."""
    file = platformdirs.user_data_path("trainyard") / "key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".key.{os.getpid()}.part")
        part.touch(0o600)
        part.write_bytes(os.urandom(32))
        with suppress(FileExistsError):
            os.link(part, file)  # the first of several processes wins
        part.unlink()
    return file.read_bytes()
