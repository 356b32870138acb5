"""What a run began with, compared with what it is resumed with: data, code, packages."""

import platform
from collections.abc import Mapping
from pathlib import Path

from trainyard.errors import UserError, printable
from trainyard.files import read_mapping
from trainyard.runs.directory import ENVIRONMENT
from trainyard.runs.provenance import packages, sources

SHOWN = 5  # names of packages or modules in a message
FIRST = ("Python", "torch", "torchvision", "lightning", "torchmetrics", "numpy")  # numbers depend most on these


def check_same_data(path: Path, now: Mapping[str, str]) -> None:
    """Raise UserError unless a split (of `now`: digests by split) is what it was when the run in `path` began."""
    noted = read_mapping(path / ENVIRONMENT).get("data")
    then = noted if isinstance(noted, dict) else {}  # of an earlier version: nothing
    for split, digest in now.items():
        if split in then and not _are_same(str(then[split]), digest):
            raise UserError(
                f"{path} was trained on other data: its {split} split was {printable(then[split])}, and now it is "
                f"{digest}. Restore the data, or start a new run, with pretrained={path} to use these weights"
            )


def _are_same(then: str, now: str) -> bool:
    """Whether these are the same samples; of images in memory there are two digests, of pixels and of files."""
    one, other = then.split(), now.split()
    if len(one) == len(other):
        return one == other
    return one[:2] == other[:2] and not set(one[2:]).isdisjoint(other[2:])  # "36 samples DIGEST [DIGEST]"


def changed_code(path: Path) -> str:
    """In which packages and modules a run began otherwise than it continues now; empty if in none."""
    then = read_mapping(path / ENVIRONMENT)
    found = []
    for kind, now in (("packages", {"Python": platform.python_version(), **packages()}), ("modules", sources())):
        old = then.get("sources" if kind == "modules" else kind)
        old = {"Python": then.get("python"), **old} if isinstance(old, dict) else {}
        names = sorted((name for name in old if name in now and old[name] != now[name]), key=_by_weight)
        shown = [f"{name} {old[name]} there, {now[name]} here" if kind == "packages" else name for name in names]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        found += [f"{kind}: {', '.join(shown[:SHOWN])}{more}"] if names else []
    return printable("; ".join(found), 1000)


def _by_weight(package: str) -> tuple[bool, str]:
    """A key that sorts the packages on which numbers depend most before the others."""
    return package not in FIRST, package
