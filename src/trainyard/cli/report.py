"""trainyard report: the scores of many runs in one table, with mean, spread and best over seeds or folds."""

import argparse
from pathlib import Path
from typing import Any

from trainyard.cli.parser import examples
from trainyard.errors import UserError, without_control


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "report",
        help="the scores of many runs as a table",
        description="The scores of many runs in one table, with mean, spread and best over seeds or folds.",
        epilog=examples("trainyard report outputs", "trainyard report outputs --into results.md --csv results.csv"),
    )
    parser.add_argument("paths", nargs="+", metavar="RUNS", help="run directories, or folders that contain some")
    parser.add_argument("--into", type=Path, help="a Markdown file to write the table to, between its markers")
    parser.add_argument("--csv", type=Path, help="a file to write the plain numbers to, one row per configuration")
    parser.add_argument("--latex", type=Path, help="a file to write the table to, for LaTeX (booktabs)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the table, and write it where the options say."""
    from trainyard.report.files import as_csv, latex, markdown, write_into
    from trainyard.report.groups import group_runs
    from trainyard.report.runs import find_runs
    from trainyard.report.tables import print_table

    done, unfinished = find_runs(options.paths)
    if not done:
        raise UserError(f"no run has finished yet: {', '.join(map(str, unfinished))}")
    groups = group_runs(done)
    print_table(groups)
    if unfinished:
        print(without_control(f"{len(unfinished)} unfinished: {', '.join(map(str, unfinished))}"))
    if options.into:
        write_into(options.into, markdown(groups))
    for file, text in ((options.csv, as_csv), (options.latex, latex)):
        if file:
            file.write_text(text(groups))
    for file in filter(None, (options.into, options.csv, options.latex)):
        print(file)
