"""All files of an export, or none: they are written into a folder of their own and moved when all is well."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainyard.errors import UserError
from trainyard.files import sync_names

CARD, TOKENIZER = "MODEL_CARD.md", "tokenizer.json"
MARK = "<!-- trainyard export -->"  # the first line of a card, which the next export may replace


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A new folder, whose files are moved beside `target` at the end; after an error it is removed with all of them.

    UserError where nothing can be written, and for a tokenizer or a card of something else that is there.
    """
    if target.is_dir():
        raise UserError(f"{target} is a folder; name a file in it: --out {target / 'model'}{target.suffix}")
    folder, is_new = target.parent / f".{target.name}.{os.getpid()}.part", not target.parent.exists()
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}; choose another with --out FILE") from error
    try:
        yield folder
        made = sorted(folder.iterdir())
        for file in made:
            check_replaceable(file, target.parent / file.name)
        for file in made:
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
            file.replace(target.parent / file.name)
        sync_names(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if is_new and not target.exists():
            with suppress(OSError):
                target.parent.rmdir()


def check_replaceable(new: Path, old: Path) -> None:
    """Raise UserError if a file beside the exported one is not of an earlier export."""
    if not old.exists() or new.name not in (CARD, TOKENIZER):
        return
    is_same = old.is_file() and old.read_bytes() == new.read_bytes()
    if not is_same and (new.name == TOKENIZER or not old.read_bytes().startswith(MARK.encode())):
        raise UserError(f"{old} belongs to something else; choose another folder with --out FILE")
