"""Words of -m that Hydra does not know: zip(model=gru,lstm data.batch_size=32,64) and --dry-run."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException

from trainyard.errors import UserError

MULTIRUN = ("-m", "--multirun")
DRY_RUN = "--dry-run"
ZIP = re.compile(r"zip\((.*)\)", re.DOTALL)
SPACE = re.compile(r"\s+(?=[+~]?[\w./@-]+=)")  # before the next key


def hydra_words(words: Sequence[str]) -> list[str]:
    """The same words as Hydra reads them; UserError for those that need -m, and for a zip without two keys."""
    plain: list[str] = []
    groups: list[list[str]] = []
    for word in words:
        if word == DRY_RUN:
            plain.append("hydra.sweeper.dry_run=true")
        elif zipped := ZIP.fullmatch(word):
            members = SPACE.split(zipped[1].strip())
            if len(members) < 2 or any("=" not in member for member in members):
                raise UserError(f"{word}: write at least two keys, as in 'zip(model=gru,lstm data.batch_size=32,64)'")
            if single := [each.input_line for each in parsed(members) if not each.is_sweep_override()]:
                raise UserError(f"{word}: {single[0]} is one value; its keys have as many values each")
            plain += members
            groups.append([member.partition("=")[0].lstrip("+") for member in members])
        else:
            plain.append(word)
    if groups:
        lists = ",".join(f"[{','.join(keys)}]" for keys in groups)
        plain.append(f"hydra.sweeper.zip=[{lists}]")
    if len(plain) > len(words) or DRY_RUN in words:
        check_multirun(words)
    return plain


def parsed(words: list[str]) -> list[Override]:
    """The words as Hydra reads them; none if it cannot, which it tells better itself."""
    try:
        return OverridesParser.create().parse_overrides(words)
    except OverrideParseException:
        return []


def check_multirun(words: Sequence[str]) -> None:
    """Raise UserError unless there are to be several jobs."""
    if any(word in MULTIRUN for word in words):
        return
    if DRY_RUN in words:
        raise UserError(f"{DRY_RUN} lists the jobs of -m; check=true tries one training")
    raise UserError("zip(...) is for many trainings: add -m")
