"""Put the scores of many runs into one table: mean, spread and best over seeds or folds."""

import argparse
from pathlib import Path

from trainyard.report.groups import group
from trainyard.report.runs import find
from trainyard.report.tables import as_csv, latex, markdown, show, write_into


def main(argv: list[str]) -> None:
    """trainyard report RUNS... [--into FILE.md] [--csv FILE] [--latex FILE]"""
    parser = argparse.ArgumentParser(prog="trainyard report", description=__doc__)
    parser.add_argument("runs", nargs="+", help="run directories, or folders that hold some: outputs")
    parser.add_argument("--into", type=Path, help="a Markdown file that gets the table between its marks")
    parser.add_argument("--csv", type=Path, help="a file that gets the plain numbers, one row for each configuration")
    parser.add_argument("--latex", type=Path, help="a file that gets the table for LaTeX (booktabs)")
    options = parser.parse_args(argv)
    done, unfinished = find(options.runs)
    groups = group(done)
    show(groups)
    if unfinished:
        print(f"{len(unfinished)} unfinished: {', '.join(map(str, unfinished))}")
    if options.into:
        write_into(options.into, markdown(groups))
    for file, text in ((options.csv, as_csv), (options.latex, latex)):
        if file:
            file.write_text(text(groups))
    for file in filter(None, (options.into, options.csv, options.latex)):
        print(file)
