"""The `trainyard` command: find the subcommand, and run it."""

import argparse
import sys
from importlib.metadata import version

from trainyard.cli import (
    compare,
    completion,
    consolidate,
    evaluate,
    explain,
    export,
    generate,
    init,
    ls,
    plot,
    predict,
    report,
    rm,
    serve,
    show,
    train,
)
from trainyard.cli.parser import Parser, examples
from trainyard.durability.signals import exit_on_signal
from trainyard.errors import exit_on_error

# modules, each with add_parser
COMMANDS = (
    train, evaluate, predict, explain, export, serve, generate, show, compare, ls, rm, report, plot, consolidate,
    init,
)  # fmt: skip
DEBUG = "debug=true"  # works with every command


def main(argv: list[str] | None = None) -> None:
    """Run a command. `argv` comes before the words of the command line: train.py calls main(["train"])."""
    words = [*(argv or []), *sys.argv[1:]]
    with exit_on_signal(ends_process=True), exit_on_error(debug=DEBUG in words):
        if completion.is_completion(words):
            completion.complete(words, [command.__name__.rpartition(".")[2] for command in COMMANDS])
            return
        if words[:1] == ["train"]:  # its words are Hydra's, --help among them
            train.run_words(words[1:])
            return
        run_command([word for word in words if word != DEBUG] or ["--help"])


def run_command(words: list[str]) -> None:
    """Run any command but train; UserError for a mistake."""
    parser = make_parser()
    options, rest = parser.parse_known_args(words)
    more = [word for word in rest if takes_more(options, word)]  # argparse takes none of them after an option
    if wrong := [word for word in rest if word not in more]:
        parser.error(f"unrecognized arguments: {' '.join(wrong)}")
    if hasattr(options, "inputs"):
        options.inputs = [*options.inputs, *more]
    elif more:
        options.overrides = [*options.overrides, *more]
    options.run(options)


def takes_more(options: argparse.Namespace, word: str) -> bool:
    """Whether a word after an option is an input or an override of the command."""
    if hasattr(options, "inputs"):
        return word == "-" or not word.startswith("-")
    return hasattr(options, "overrides") and "=" in word and not word.startswith("-")


def make_parser() -> Parser:
    """The parser of every command."""
    parser = Parser(
        prog="trainyard",
        description="Train networks, and use trained ones.",
        epilog=examples(
            "trainyard train model=resnet18 data=cifar10",
            "trainyard init my_project",
            "trainyard evaluate outputs/resnet18_cifar10/...",
            "trainyard report outputs",
        )
        + "\n\ntrainyard COMMAND --help explains a command; debug=true shows the traceback of an error\n"
        'eval "$(trainyard -sc install=bash)" makes Tab complete commands, groups, options and keys',
    )
    parser.add_argument("--version", action="version", version=f"trainyard {version('trainyard')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
