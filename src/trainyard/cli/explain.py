"""trainyard explain: why a run's network predicts what it does."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from trainyard.cli.parser import add_run, examples, open_run
from trainyard.errors import UserError, without_control

if TYPE_CHECKING:
    from trainyard.explain.explanation import Explanation

METHODS = ("gradcam", "integrated_gradients", "gradient_x_input", "saliency", "occlusion", "rollout", "heads",
           "hyperedges")  # fmt: skip


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "explain",
        help="show which pixels, words or numbers a prediction depends on",
        description="Explain predictions: a heat map of each image, the words of each text in colors (a picture and a "
        "page), the values of numbers as a table. An input that cannot be read is named, the rest goes on, and the "
        "exit code is 1.",
        epilog=examples(
            "trainyard explain outputs/quickstart/... cat.png dog.png",
            "trainyard explain outputs/quickstart/... cat.png --method occlusion --target disc",
            'trainyard explain outputs/imdb_transformer/... "A moving film." --method rollout',
            "trainyard explain outputs/xor_mlp/... 0,1 1,1",
            "trainyard explain latest --samples 4 --check",
        ),
    )
    add_run(parser, inputs="files, folders, CSV files, texts, numbers (0,1), or - for stdin, an input a line")
    parser.add_argument("--method", choices=METHODS, default="", help="default: the network's own")
    parser.add_argument("--target", metavar="CLASS", help="the class to explain; default: the predicted one")
    parser.add_argument("--samples", type=int, default=0, metavar="N", help="explain N samples of the test split too")
    parser.add_argument("--check", action="store_true", help="compare with chance, and with shuffled weights")
    parser.add_argument("--out", metavar="FOLDER", help="of the pictures; default: RUN/explanations")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps; default: auto")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write a picture for each input, and print what it shows; exit with 1 if there was a bad one."""
    if options.samples < 0:
        raise UserError(f"--samples={options.samples} must not be negative")
    opened = open_run(options)
    if not options.inputs and not options.samples:
        raise UserError("there is nothing to explain: name inputs after the run, or set --samples")
    from trainyard.inference.inputs import Inputs

    refused, names = [], set()

    def refuse(sentence: str) -> None:
        refused.append(sentence)
        print(without_control(sentence), file=sys.stderr)

    inputs = Inputs(opened.data(), options.inputs, options.column, refuse)
    chosen = {"method": options.method, "target": options.target, "check": options.check, "device": options.device}
    for explanation in opened.explain_each(inputs, refuse, options.samples, **chosen):
        name = unused(explanation.slug, names)
        files = explanation.save(options.out or opened.path / "explanations", name)
        print(without_control("\n".join([describe(explanation), *(f"  {file}" for file in files)])), flush=True)
    if refused and not names:
        raise UserError("nothing was explained: no input could be read")
    if refused:
        sys.exit(1)


def describe(explanation: "Explanation") -> str:
    """What is known about one prediction: a line, remarks, checks, the table of numbers."""
    name = explanation.name if len(explanation.name) <= 60 else f"{explanation.name[:60]} ..."
    checks = [f"  {line}" for line in str(explanation.checks).split("; ")] if explanation.checks else []
    notes = [f"  {note}" for note in explanation.notes]
    table = explanation.table()
    return "\n".join([f"{name}: {explanation.title}", *([table] if table else []), *notes, *checks])


def unused(name: str, names: set[str]) -> str:
    """The name, with a number behind if it is one of `names`, to which it is added."""
    found, count = name, 1
    while found in names:
        count += 1
        found = f"{name}_{count}"
    names.add(found)
    return found
