"""Put the scores of many runs into one table."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trainyard.report import COLUMNS, find, markdown, rows, write_into

SHOWN = 6  # columns on the terminal; speed, machine and command stand in the file


def main(argv: list[str]) -> None:
    """trainyard report RUNS... [--into FILE.md]"""
    parser = argparse.ArgumentParser(prog="trainyard report", description=__doc__)
    parser.add_argument("runs", nargs="+", help="run directories, or folders that hold some: outputs")
    parser.add_argument("--into", type=Path, help="a Markdown file that gets the table between its marks")
    options = parser.parse_args(argv)
    cells, unfinished = show(options.runs)
    if unfinished:
        print(f"{len(unfinished)} unfinished: {', '.join(map(str, unfinished))}")
    if options.into:
        write_into(options.into, markdown(cells))
        print(options.into)


def show(runs: Sequence[str | Path]) -> tuple[list[tuple[str, ...]], list[Path]]:
    """Print the table of the finished runs at or below the paths; its cells, and the unfinished runs."""
    done, unfinished = find(runs)
    cells = rows(done)
    table = Table("with", *COLUMNS[:SHOWN], box=SIMPLE)
    table.columns[0].overflow = "fold"  # words have no spaces
    for words, cell in zip(differences(cells), cells, strict=True):
        table.add_row(escape(words), *map(escape, cell[:SHOWN]))
    Console(highlight=False).print(table)
    return cells, unfinished


def differences(cells: Sequence[Sequence[str]]) -> list[str]:
    """Of each row's command, the words that not all rows have."""
    commands = [[word for word in cell[-1].split() if word != "-m" and not word.startswith("seed=")] for cell in cells]
    return [" ".join(word for word in words if not all(word in other for other in commands)) for words in commands]
