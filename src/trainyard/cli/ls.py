"""trainyard ls: the runs below a folder, with their state, best score, age and size."""

import argparse
from pathlib import Path
from typing import Any

from trainyard.cli.parser import examples
from trainyard.errors import UserError

FORMATS = ("table", "csv", "json")
SORTS = ("age", "score", "size", "name")


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "ls",
        help="list runs: state, best score, age, size",
        description="List the runs below a folder, trials of sweeps among them. The score is the best value of the "
        "metric that the run monitors; a run whose process was killed is stopped, and one of whose files are "
        "missing or broken is damaged.",
        epilog=examples(
            "trainyard ls outputs",
            "trainyard ls outputs --sort score --where model=gru --state done",
            "trainyard ls outputs/sweeps/xor --where optimizer.lr=0.1 --format json",
        ),
    )
    add_choice(parser)
    parser.add_argument("--sort", choices=SORTS, default="age", help="best, largest or (the default) newest first")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.set_defaults(run=run)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the arguments by which runs are chosen, for `ls` and `rm`."""
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="FOLDER", help="folders that contain runs, or run directories"
    )
    parser.add_argument(
        "--where", action="append", default=[], metavar="key=value",
        help="only runs with this option (model=gru) or value (optimizer.lr=0.1); may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--state", action="append", default=[], metavar="STATE",
        help="only done, failed, running, stopped, pruned or damaged runs; several: failed,pruned",
    )  # fmt: skip
    parser.add_argument("--older-than", metavar="TIME", help="only runs that have not changed for 12h, 7d, 2w")


def run(options: argparse.Namespace) -> None:
    """Print the runs."""
    from trainyard.catalog.entries import entries, sort
    from trainyard.catalog.filters import choose, parse_age, parse_states
    from trainyard.catalog.listing import as_csv, as_json, table, totals

    states, least = parse_states(options.state), parse_age(options.older_than) if options.older_than else 0.0
    everything = entries(options.paths or [Path("outputs")])
    listed = sort(choose(everything, states, options.where, least), options.sort)
    if options.format != "table":
        print(as_csv(listed) if options.format == "csv" else as_json(listed))
    elif listed:
        print(f"{table(listed)}\n\n{totals(listed)}")
    elif everything:
        raise UserError(f"none of the {len(everything):,} runs is of that kind; trainyard ls shows all of them")
    else:
        raise UserError(f"there is no run below {' '.join(map(str, options.paths)) or 'outputs'}")
