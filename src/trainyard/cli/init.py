"""trainyard init: a folder to start a project of one's own in, with a network, data, an experiment and a test."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from trainyard.cli.parser import examples
from trainyard.errors import UserError, printable

STARTER = Path(__file__).parents[1] / "starter"  # the files, as they are written
RENAMED = {"gitignore": ".gitignore"}  # a tool that builds packages would leave it out
COMPILED = "__pycache__"  # pip compiles what it installs


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "init",
        help="write a folder to start in: conf/, a network, data, an experiment, a test",
        description="Write a folder for a project of your own, which trains at once: a network and data in a file "
        "each, their YAML and an experiment in conf/, a README and a test. Nothing that exists is overwritten.",
        epilog=examples("trainyard init my_project", "cd my_project && python train.py model=mine data=mine"),
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new folder, or one that has none of the files")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the files, and print what to do with them."""
    folder: Path = options.folder
    texts = starter_files()
    for file in (folder / name for name in texts):
        if file.exists() or file.is_symlink():
            raise UserError(f"{printable(file, 300)} exists already, and nothing is overwritten; name a new folder")
    write(folder, texts)
    print(f"{printable(folder, 300)}: {', '.join(sorted(texts))}")
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(printable(folder, 300))} && "
    print(f"next: {there}python train.py model=mine data=mine")


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write all files, or leave none; UserError if that is not possible."""
    written: list[Path] = []
    try:
        for name, text in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x") as opened:
                written.append(file)
                opened.write(text)
    except OSError as error:
        for file in written:
            file.unlink(missing_ok=True)
        raise UserError(f"{printable(folder, 300)} cannot be written: {error.strerror}; name another folder") from error


def starter_files() -> dict[str, str]:
    """The texts of the files, by their paths in the new folder."""
    files = [file for file in sorted(STARTER.rglob("*")) if file.is_file() and COMPILED not in file.parts]
    names = [file.relative_to(STARTER).as_posix() for file in files]
    return {RENAMED.get(name, name): file.read_text() for name, file in zip(names, files, strict=True)}
