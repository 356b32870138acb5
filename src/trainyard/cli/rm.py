"""trainyard rm: delete failed, pruned or stopped runs by rule, or any run by its name."""

import argparse
import sys
from pathlib import Path
from typing import Any

from trainyard.cli.ls import add_choice
from trainyard.cli.parser import examples
from trainyard.errors import UserError, without_control


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "rm",
        help="delete failed, pruned or stopped runs",
        description="Delete run directories, after showing them and asking. By state, runs below the folders are "
        "deleted that failed, were pruned or stopped, or are damaged; a finished run is deleted only if its own "
        "directory is named, one that is running never. Links are not followed.",
        epilog=examples(
            "trainyard rm --state failed",
            "trainyard rm outputs/sweeps --state failed,pruned --older-than 7d --dry-run",
            "trainyard rm outputs/quickstart/... --yes",
        ),
    )
    add_choice(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would be deleted, and delete nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Show the runs, ask, and delete them."""
    from trainyard.catalog.entries import entries, sort
    from trainyard.catalog.filters import choose, parse_age, parse_states
    from trainyard.catalog.listing import shown, table, totals
    from trainyard.catalog.removal import remove, select, why_not

    states, least = parse_states(options.state), parse_age(options.older_than) if options.older_than else 0.0
    if linked := [path for path in options.paths if path.is_symlink()]:
        raise UserError(f"{shown(linked[0])} is a link; name the folder that it leads to")
    listed = entries(options.paths or [Path("outputs")])
    matching = sort(choose(listed, states, options.where, least), "name")
    chosen = select(matching, options.paths, by_rule=bool(states))
    kept = [each for each in matching if each not in chosen]
    refused = {each.path: reason for each in chosen if (reason := why_not(each))}
    chosen = [each for each in chosen if each.path not in refused]
    for path, reason in refused.items():
        print(without_control(f"not deleted: {shown(path)}: {reason}"))
    if not chosen:
        raise UserError(nothing(len(kept), bool(states), bool(refused)))
    print(f"{table(chosen)}\n\n{totals(chosen)}")
    if options.dry_run or not is_confirmed(options.yes, totals(chosen)):
        print("nothing was deleted")
        return
    failed = [f"{shown(each.path)}: {reason}" for each in chosen if (reason := remove(each))]
    print(f"deleted: {len(chosen) - len(failed):,} of {len(chosen):,}")
    if failed or refused:
        raise UserError("\n".join([f"{len(failed) + len(refused)} could not be deleted", *failed]))


def nothing(kept: int, by_rule: bool, has_refused: bool) -> str:
    """Why there is nothing to delete."""
    if has_refused:
        return "nothing was deleted"
    if kept and not by_rule:
        return "which runs? add --state failed,pruned,stopped,damaged, or name run directories; trainyard ls lists them"
    if kept:
        return f"{kept:,} finished or running runs match; a finished one is deleted if its own directory is named"
    return "no run matches, and nothing was deleted; trainyard ls lists the runs"


def is_confirmed(yes: bool, what: str) -> bool:
    """Ask whether to delete; UserError where there is nobody to ask."""
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise UserError(f"{what} would be deleted, and there is no terminal to ask; add --yes, or --dry-run")
    return input("delete them? [y/N] ").strip().lower() in ("y", "yes")
