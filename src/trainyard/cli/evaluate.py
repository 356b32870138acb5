"""trainyard evaluate: score a run's weights on a split, with intervals, class by class, and under disturbances."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard.cli.parser import add_run, examples, open_run
from trainyard.errors import UserError, printable

if TYPE_CHECKING:
    from trainyard.evaluation.evaluate import Evaluation
    from trainyard.evaluation.robustness import Disturbed
    from trainyard.runs.run import Run

FOLDER = "evaluation"  # in the run directory
MOST_CLASSES = 50  # that are printed


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="score a run's best weights, with intervals and class by class",
        description="Score a run's best weights on one of its splits: each score with a 95 % interval (percentile "
        "bootstrap over the samples), a table of the classes, the calibration error. Confusion matrix, reliability "
        f"diagram and all numbers are written into RUN/{FOLDER}/SPLIT. data=NAME is another dataset of the same "
        "classes.",
        epilog=examples(
            "trainyard evaluate outputs/quickstart/...",
            "trainyard evaluate latest --split val --csv",
            "trainyard evaluate outputs/cifar10_cnn/... data=image_folder data.root=photos data.shape=[3,32,32]",
            "trainyard evaluate outputs/imdb_gru/... data.root=/data --robustness",
        ),
    )
    add_run(parser)
    parser.add_argument("--split", choices=("test", "val"), default="test", help="default: test")
    parser.add_argument("--csv", action="store_true", help="write predictions.csv: each sample with its probabilities")
    parser.add_argument("--robustness", action="store_true", help="also with noise, blur, ... or words left out")
    parser.add_argument("--out", metavar="FOLDER", help=f"write there; default: RUN/{FOLDER}/SPLIT")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the scores and write the files."""
    import logging

    log = logging.getLogger(__name__)
    opened = open_run(options)
    from trainyard.evaluation.files import write_evaluation
    from trainyard.evaluation.robustness import corruptions_of, robustness
    from trainyard.runs.summary import limits

    folder = folder_of(opened, options)
    if options.robustness:
        corruptions_of(opened.data())  # refused before anything is computed
    with opened.explain_errors():
        evaluator = opened.evaluator(options.split)
        if options.csv and not evaluator.has_classes:
            raise UserError("--csv writes the probability of each class, and this network has no classes; leave it out")
        found = evaluator.evaluation()
    part = limits(opened.cfg).get(options.split)
    log.info("%s: %s samples%s", options.split, f"{found.samples:,}", f" (a part of the split: {part})" if part else "")
    for line in score_lines(found):
        log.info("%s", line)
    with opened.explain_errors():
        disturbed = list(robustness(evaluator)) if options.robustness else []
    if disturbed:
        log.info("\n%s", "\n".join(robustness_lines(found, disturbed)))
    try:
        files = write_evaluation(found, disturbed, folder, options.csv)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); name another folder by --out") from error
    log.info("\n%s: %s", folder, ", ".join(file.name for file in files))


def folder_of(opened: "Run", options: argparse.Namespace) -> Path:
    """Where the files go; UserError if a run directory leads elsewhere."""
    if options.out:
        if Path(options.out).is_file():
            raise UserError(f"--out={options.out} is a file; name a folder")
        return Path(options.out)
    name = options.split if not opened.other_data else f"{Path(opened.other_data).name}-{options.split}"
    for folder in (opened.path / FOLDER, opened.path / FOLDER / name):
        if folder.is_symlink():
            raise UserError(f"{folder} links to {folder.readlink()}; delete the link, or name another folder by --out")
    return opened.path / FOLDER / name


def score_lines(found: "Evaluation") -> list[str]:
    """The scores with their intervals, the calibration error, a line for each class."""
    lines = []
    for name, value in found.scores.items():
        low_high = "  [{:.4f}, {:.4f}]".format(*found.intervals[name]) if name in found.intervals else ""
        lines.append(f"{name:<24} {value:.4f}{low_high}")
    if found.intervals:
        lines.append("[ ]: 95 % interval, bootstrap over the samples")
    if found.calibration is None:
        return lines
    bins = len(found.calibration.count)
    lines += [f"expected calibration error {found.calibration.error:.4f} ({bins} bins)", ""]
    *classes, macro, weighted = [each._replace(name=printable(each.name, 40)) for each in found.per_class]
    shown = classes[:MOST_CLASSES]
    wide = max(len(each.name) for each in (*shown, weighted))
    lines.append(f"{'class':<{wide}}  precision  recall      f1   samples")
    for each in (*shown, macro, weighted):
        lines.append(f"{each.name:<{wide}}  {each.precision:9.4f}  {each.recall:6.4f}  {each.f1:6.4f}  {each.count:8,}")
    if len(shown) < len(classes):
        lines.append(f"({len(classes) - len(shown)} more classes are in scores.json)")
    return lines


def robustness_lines(found: "Evaluation", disturbed: "Sequence[Disturbed]") -> list[str]:
    """A table: each disturbance with its scores, and their differences from the clean ones."""
    names = [name for name in found.scores if name in disturbed[0].scores]
    first = max(len(each.corruption) for each in disturbed)
    second = max(len(each.strength) for each in disturbed)
    lines = [f"{'disturbance':<{first + second + 2}}  " + "  ".join(f"{name:>18}" for name in names)]
    lines.append(f"{'none':<{first + second + 2}}  " + "  ".join(f"{found.scores[name]:>18.4f}" for name in names))
    for each in disturbed:
        cells = (f"{each.scores[name]:.4f} ({each.scores[name] - found.scores[name]:+.4f})" for name in names)
        head = f"{each.corruption:<{first}}  {each.strength:<{second}}"
        lines.append(f"{head}  " + "  ".join(f"{cell:>18}" for cell in cells))
    return lines
