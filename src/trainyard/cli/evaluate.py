"""trainyard evaluate: score a run's best weights on one of its splits."""

import argparse
from typing import Any

from trainyard.cli.parser import RUN_HELP, examples
from trainyard.errors import UserError
from trainyard.training.memory_limit import check_memory_limit


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
    parser.add_argument("path", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="changes to the run's config: data.root=..."
    )
    parser.add_argument("--split", choices=("test", "val"), default="test", help="default: test")
    parser.add_argument("--config-dir", help="your conf folder; modules next to it can be imported")
    parser.add_argument("--trust", action="store_true", help="run the code that someone else's run names")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print each score on a line."""
    import logging

    if wrong := [word for word in options.overrides if "=" not in word]:
        raise UserError(f"trainyard evaluate scores one run, and {wrong[0]} is not a key=value")
    check_memory_limit()
    from trainyard.config.user_conf import set_user_conf
    from trainyard.logs import log_to_console
    from trainyard.runs.load import load
    from trainyard.runs.summary import limits
    from trainyard.training.evaluate import evaluate

    set_user_conf(options.config_dir)
    log_to_console()
    run = load(options.path, options.overrides, options.trust)
    scores = evaluate(run, options.split)
    if part := limits(run.cfg).get(options.split):
        logging.getLogger(__name__).info("on a part of the %s split: %s", options.split, part)
    for name, value in scores.items():
        logging.getLogger(__name__).info("%-20s %.4f", name, value)
