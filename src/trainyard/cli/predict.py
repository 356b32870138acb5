"""trainyard predict: what a run's network says about images, texts or rows of numbers."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING, Any

from trainyard.cli.parser import add_run, examples, open_run
from trainyard.errors import UserError, without_control

if TYPE_CHECKING:
    from trainyard.inference.predict import Prediction

FORMATS = ("table", "csv", "json")
INPUTS = (
    "files, folders, CSV files, texts, numbers (0,1), or - for stdin, an input a line; and key=value, changes to the "
    "run's config: data.root=..."
)


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "predict",
        help="let a run's network classify images, texts or numbers",
        description="Let a run's network classify images, texts or rows of numbers, prepared as in its training. An "
        "input that cannot be read is named, the rest goes on, and the exit code is 1. A word that names no file is a "
        "text.",
        epilog=examples(
            "trainyard predict outputs/quickstart/... cat.png photos/ --top 3",
            'trainyard predict outputs/imdb_gru/... "A moving film." review.txt',
            "trainyard predict latest reviews.csv --column text --out labels.csv",
            "trainyard predict outputs/imdb_gru/... - --format json",
            "trainyard predict outputs/xor_mlp/... 0,1 1,1 points.csv --column x --column y",
        ),
    )
    add_run(parser, inputs=INPUTS)
    parser.add_argument("--top", type=int, default=5, metavar="N", help="the N most probable classes; default: 5")
    parser.add_argument("--format", choices=FORMATS, help="default: what --out ends with, else table")
    parser.add_argument("--out", metavar="FILE", help="write a file, whole or not at all; default: print")
    parser.add_argument("--batch-size", type=int, metavar="N", help="inputs at a time; default: data.eval_batch_size")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps; default: auto")
    parser.set_defaults(run=run)


@dataclass
class Tally:
    """What has been predicted, and what could not be."""

    done: int = 0
    refused: int = 0
    words: int = 0
    unknown: int = 0
    truncated: int = 0

    def refuse(self, sentence: str) -> None:
        """Name an input that cannot be predicted."""
        self.refused += 1
        print(without_control(sentence), file=sys.stderr)

    def count(self, predictions: Iterable["Prediction"]) -> Iterator["Prediction"]:
        """The same predictions, counted; UserError at their end if there was none."""
        for each in predictions:
            self.done += 1
            if each.words:
                self.words, self.unknown = self.words + each.words.count, self.unknown + each.words.unknown
                self.truncated += each.words.is_truncated
            yield each
        if not self.done:
            raise UserError("nothing was predicted: no input could be read")

    def about_words(self) -> str:
        """How many words were unknown, and how many texts too long."""
        parts = [f"{self.unknown:,} of {self.words:,} words unknown"] if self.words else []
        parts += [f"{self.truncated:,} texts truncated"] if self.truncated else []
        return "".join(f"; {part}" for part in parts)


def run(options: argparse.Namespace) -> None:
    """Print a line for each input; exit with 1 if there was a bad one."""
    for name in ("top", "batch_size"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')}={value} must be at least 1")
    if options.out and Path(options.out).is_dir():
        raise UserError(f"--out={options.out} is a folder; name a file")
    if options.column and not any(Path(word).suffix.lower() == ".csv" for word in options.inputs):
        raise UserError(f"--column={options.column[0]} names a column of a CSV file, and no input is one (FILE.csv)")
    ending = Path(options.out or "").suffix[1:]
    kind = options.format or (ending if ending in FORMATS else "table")
    opened = open_run(options, log_stream="stderr")
    if not options.inputs:
        raise UserError("there is nothing to predict: after the run, name files, folders, texts, or - for stdin")
    from trainyard.inference.formats import FORMATTERS

    tally, started = Tally(), perf_counter()
    inputs = opened.inputs(options.inputs, options.column, tally.refuse)
    found = opened.predict_each(inputs, options.batch_size, options.device)
    with shown_progress(found, inputs.count() if sys.stderr.isatty() else None, bool(options.out)) as found:
        lines = FORMATTERS[kind](tally.count(found), opened.class_names(), options.top)
        if kind == "table":
            lines = with_note(lines, lambda: f"\npreprocessing: {inputs.preprocessing()}{tally.about_words()}")
        write(lines, options.out) if options.out else show(lines)
    note = "" if kind == "table" else f"preprocessing: {inputs.preprocessing()}{tally.about_words()}\n"
    seconds = perf_counter() - started
    bad = f", {tally.refused:,} refused" if tally.refused else ""
    told = f"{note}{tally.done:,} predicted{bad} in {seconds:.1f} s ({tally.done / seconds:,.0f} a second)"
    print(without_control(told), file=sys.stderr)
    if tally.refused:
        sys.exit(1)


@contextmanager
def shown_progress(
    predictions: Iterable["Prediction"], total: int | None, to_file: bool
) -> Iterator[Iterable["Prediction"]]:
    """The same predictions, with a bar on stderr if that is a terminal and none of them are printed there."""
    if not sys.stderr.isatty() or (sys.stdout.isatty() and not to_file):
        yield predictions
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        yield bar.track(predictions, total=total)


def with_note(lines: Iterable[str], note: Callable[[], str]) -> Iterator[str]:
    """The lines, then what is known when they have all been made."""
    yield from lines
    yield note()


def show(lines: Iterable[str]) -> None:
    """Print the lines as they are made."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        print(without_control(line).encode(encoding, "backslashreplace").decode(encoding))


def write(lines: Iterable[str], out: str) -> None:
    """Write the lines into a file, all of them or nothing."""
    from trainyard.files import write_durably

    def put(file: IO[bytes]) -> None:
        for line in lines:
            file.write(f"{line}\n".encode("utf-8", "surrogateescape"))

    write_durably(out, put)
