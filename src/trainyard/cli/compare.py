"""trainyard compare: what differs between runs, in their config and in their scores."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from trainyard.cli.parser import examples
from trainyard.errors import UserError


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "compare",
        help="differences between runs: config, scores, curves",
        description="Show in which keys the configs of runs differ, beside how much their scores differ, and save "
        "their curves as a PNG file. Runs that differ in their seed or fold alone are one configuration; with five "
        "seeds in common, the difference has an interval (paired bootstrap).",
        epilog=examples(
            "trainyard compare outputs/xor_mlp/... outputs/xor_mlp_article/...",
            "trainyard compare outputs/sweeps/a outputs/sweeps/b --out a_b.png",
        ),
    )
    parser.add_argument("paths", nargs="+", metavar="RUN", help="run directories, or folders that contain some")
    parser.add_argument("--out", type=Path, default=Path("compare.png"), help="the curves; default: compare.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the comparison, and save the curves."""
    from trainyard.report.comparison import compare_runs
    from trainyard.runs.find import find_run

    compared = compare_runs([find_run(path)[0] if path == "latest" else path for path in options.paths])
    print(compared)
    save_figure(compared.figure(), options.out)
    print(f"\ncurves: {options.out}")


def save_figure(figure: Any, out: Path) -> None:
    """Save a figure as a PNG file, whole or not at all; UserError where it cannot be written."""
    from trainyard.files import write_durably

    try:
        write_durably(out, partial(figure.savefig, format="png", dpi=150))
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror})") from error
