"""trainyard consolidate: the resume points of a run, which several processes wrote in parts, as one file each."""

import argparse
from typing import Any

from trainyard.cli.parser import RUN_HELP, examples
from trainyard.errors import UserError


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "consolidate",
        help="make each checkpoint of a run one file",
        description="Write each resume point of a run as one file, where several processes (hardware=fsdp) wrote it in "
        "parts. The run can be resumed as before, and its last.ckpt be used as any other weights file. (Its best "
        "weights, best.ckpt, are one file anyway.)",
        epilog=examples("trainyard consolidate outputs/gpt_imdb_lm/...", "trainyard consolidate latest"),
    )
    parser.add_argument("path", metavar="RUN", help=RUN_HELP)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the files that were written."""
    import logging

    from trainyard.durability.run_lock import RunLock
    from trainyard.durability.sharded_points import consolidate
    from trainyard.logs import log_to_console
    from trainyard.runs.load import load

    log_to_console()
    log, path = logging.getLogger(__name__), load(options.path).path
    folder = path / "checkpoints"
    if not folder.is_dir():
        raise UserError(f"{path} has no checkpoints")
    with RunLock(path):
        written = consolidate(folder)
    for file in written:
        log.info("%s: one file of %s bytes", file, f"{file.stat().st_size:,}")
    if not written:
        log.info("%s: each checkpoint is one file already", path)
