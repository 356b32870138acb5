"""The `trainyard` command: find the subcommand, and run it."""

import sys
from importlib.metadata import version

from trainyard.cli import completion, consolidate, evaluate, export, generate, plot, report, train
from trainyard.cli.parser import Parser, examples
from trainyard.durability.signals import exit_on_signal
from trainyard.errors import exit_on_error

COMMANDS = (train, evaluate, generate, export, report, plot, consolidate)  # modules, each with add_parser
DEBUG = "debug=true"  # works with every command


def main(argv: list[str] | None = None) -> None:
    """Run a command. `argv` comes before the words of the command line: train.py calls main(["train"])."""
    words = [*(argv or []), *sys.argv[1:]]
    with exit_on_signal(), exit_on_error(debug=DEBUG in words):
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
    overrides = [word for word in rest if "=" in word and not word.startswith("-") and hasattr(options, "overrides")]
    if wrong := [word for word in rest if word not in overrides]:
        parser.error(f"unrecognized arguments: {' '.join(wrong)}")
    if overrides:
        options.overrides += overrides  # argparse takes no key=value after an option
    options.run(options)


def make_parser() -> Parser:
    """The parser of every command."""
    parser = Parser(
        prog="trainyard",
        description="Train networks, and use trained ones.",
        epilog=examples(
            "trainyard train model=resnet18 data=cifar10",
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
