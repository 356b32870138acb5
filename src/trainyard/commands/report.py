"""Put the scores of many runs into one table."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trainyard.report import COLUMNS, find, markdown, rows, write_into

SHOWN = 7  # columns on the terminal; machine and command stand in the file


def main(argv: list[str]) -> None:
    """trainyard report RUNS... [--into FILE.md]"""
    parser = argparse.ArgumentParser(prog="trainyard report", description=__doc__)
    parser.add_argument("runs", nargs="+", help="run directories, or folders that hold some: outputs")
    parser.add_argument("--into", type=Path, help="a Markdown file that gets the table between its marks")
    options = parser.parse_args(argv)
    done, unfinished = find(options.runs)
    cells = rows(done)
    table = Table()
    for column in COLUMNS[:SHOWN]:
        table.add_column(column)
    for cell in cells:
        table.add_row(*cell[:SHOWN])
    Console(highlight=False).print(table)
    if unfinished:
        print(f"{len(unfinished)} unfinished: {', '.join(map(str, unfinished))}")
    if options.into:
        write_into(options.into, markdown(cells))
        print(options.into)
