"""trainyard report: the scores of many runs in one table, with mean, spread and best over seeds or folds."""

import argparse
from pathlib import Path
from typing import Any

from trainyard.cli.parser import examples


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "report",
        help="the scores of many runs as a table",
        description="The scores of many runs in one table, with mean, spread and best over seeds or folds.",
        epilog=examples("trainyard report outputs", "trainyard report outputs --into results.md --csv results.csv"),
    )
    parser.add_argument("paths", nargs="+", metavar="RUNS", help="run directories, or folders that contain some")
    parser.add_argument("--into", type=Path, help="a Markdown file that gets the table between its marks")
    parser.add_argument("--csv", type=Path, help="a file that gets the plain numbers, one row per configuration")
    parser.add_argument("--latex", type=Path, help="a file that gets the table for LaTeX (booktabs)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the table, and write it where the options say."""
    from trainyard.report.groups import group
    from trainyard.report.runs import find
    from trainyard.report.tables import as_csv, latex, markdown, show, write_into

    done, unfinished = find(options.paths)
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
