"""The argument parser that all commands share."""

import argparse
import re
from typing import Any, NoReturn

from trainyard.errors import UserError, did_you_mean

RUN_HELP = "a run directory, outputs/..., its checkpoints/best.ckpt or last.ckpt, or latest (below outputs/)"


class Parser(argparse.ArgumentParser):
    """argparse's parser; examples keep their lines, a mistake is a UserError, a mistyped choice gets a suggestion."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        """Raise UserError instead of exiting."""
        choice = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if choice is None:
            raise UserError(f"{self.prog}: {message}; see {self.prog} --help")
        known = re.findall(r"[\w-]+", choice[2])
        hint = did_you_mean(choice[1], known)
        raise UserError(f"{self.prog}: {choice[1]} is unknown.{hint} Choose one of {', '.join(known)}.")


def examples(*lines: str) -> str:
    """The end of a command's help: one example a line."""
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])
