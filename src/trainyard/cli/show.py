"""trainyard show: a run as one HTML file that can be mailed."""

import argparse
from pathlib import Path
from typing import Any

from trainyard.cli.parser import RUN_HELP, examples
from trainyard.errors import without_control


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "show",
        help="a run as one HTML file: curves, scores, pictures, config",
        description="Write a run as one HTML file that needs no server and loads nothing: its curves, scores and "
        "pictures, the command that repeats it, its config and environment. A run that has not finished, or that "
        "failed, is shown as far as it got.",
        epilog=examples("trainyard show latest", "trainyard show outputs/quickstart/... --out quickstart.html"),
    )
    parser.add_argument("path", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="default: run.html in the run directory")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the page, and print the name of its file."""
    from trainyard.logs import log_to_console
    from trainyard.page.page import write_page
    from trainyard.runs.find import find_run

    log_to_console()
    folder, _ = find_run(options.path)
    print(without_control(str(write_page(folder, options.out))))
