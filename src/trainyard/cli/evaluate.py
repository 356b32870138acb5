"""trainyard evaluate: score a run's best weights on one of its splits."""

import argparse
from typing import Any

from trainyard.cli.parser import add_run, examples, open_run


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="score a run's best weights",
        description="Score a run's best weights on one of its splits.",
        epilog=examples(
            "trainyard evaluate outputs/quickstart/...",
            "trainyard evaluate latest --split val",
            "trainyard evaluate outputs/imdb_gru/... data.root=/data --split val",
        ),
    )
    add_run(parser)
    parser.add_argument("--split", choices=("test", "val"), default="test", help="default: test")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print each score on a line."""
    import logging

    run = open_run(options)
    from trainyard.runs.summary import limits

    scores = run.evaluate(options.split)
    if part := limits(run.cfg).get(options.split):
        logging.getLogger(__name__).info("on a part of the %s split: %s", options.split, part)
    for name, value in scores.items():
        logging.getLogger(__name__).info("%-20s %.4f", name, value)
