"""The argument parser that all commands share."""

import argparse
import os
import re
from typing import TYPE_CHECKING, Any, NoReturn

from trainyard.errors import UserError, did_you_mean
from trainyard.hardware.memory_limit import check_memory_limit

if TYPE_CHECKING:
    from trainyard.runs.run import Run

RUN_HELP = "a run directory, outputs/..., its checkpoints/best.ckpt or last.ckpt, or latest (below outputs/)"

OVERRIDE = r"\+?(data|hardware|model|task|trainer)\.[\w.]+="


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


def add_run(parser: argparse.ArgumentParser, inputs: str = "") -> None:
    """Add the arguments of a command that takes a run, for `open_run`.

    `inputs` is the help of the words after the run, where they are inputs; overrides (data.root=...) may be among them.
    """
    parser.add_argument("path", metavar="RUN", help=RUN_HELP)
    if inputs:
        parser.add_argument("inputs", nargs="*", default=[], metavar="INPUT", help=inputs)
        parser.add_argument(
            "--column", action="append", default=[], metavar="NAME", help="the column of a CSV file; numbers: several"
        )
    else:
        parser.add_argument(
            "overrides", nargs="*", default=[], metavar="key=value", help="changes to the run's config: data.root=..."
        )
    parser.add_argument("--config-dir", help="your conf folder; modules next to it can be imported")
    parser.add_argument("--trust", action="store_true", help="run the code that someone else's run names")


def open_run(options: argparse.Namespace, log_stream: str = "stdout") -> "Run":
    """The run of the options; messages go to the console from now on. Of the `inputs`, only inputs remain."""
    if hasattr(options, "inputs"):
        options.overrides = [word for word in options.inputs if is_override(word)]
        options.inputs = [word for word in options.inputs if word not in options.overrides]
    if wrong := [word for word in options.overrides if "=" not in word]:
        raise UserError(f"this command takes one run, and {wrong[0]} is not a key=value")
    check_memory_limit()
    from trainyard.config.user_conf import set_user_conf
    from trainyard.logs import log_to_console
    from trainyard.runs.load import load

    set_user_conf(options.config_dir)
    log_to_console(log_stream)
    return load(options.path, options.overrides, options.trust)


def is_override(word: str) -> bool:
    """Whether a word among inputs changes the config (data.root=..., hardware.threads=1), and is no file's name."""
    return re.match(OVERRIDE, word) is not None and not os.path.exists(word)  # noqa: PTH110  see inference/inputs.py


def examples(*lines: str) -> str:
    """The end of a command's help: one example a line."""
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])
