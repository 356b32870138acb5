"""An evaluation as files: pictures, tables, and one JSON of all numbers; all are made before the first is written."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from trainyard.errors import no_formula
from trainyard.evaluation.classes import BINS
from trainyard.evaluation.evaluate import Evaluation
from trainyard.evaluation.robustness import Disturbed
from trainyard.figures.confusion import confusion
from trainyard.figures.reliability import reliability
from trainyard.files import write_durably

DPI = 130


def write_evaluation(
    found: Evaluation, disturbed: Sequence[Disturbed], folder: Path, with_predictions: bool
) -> list[Path]:
    """Write the files of an evaluation into a folder, and return them; each is whole or not there."""
    contents: dict[str, bytes] = {"scores.json": json.dumps(as_dict(found, disturbed), indent=1).encode()}
    if found.confusion is not None and found.calibration is not None:
        where = found.calibration
        contents["confusion.png"] = _png(confusion(found.confusion, found.classes))
        figure = reliability(where.confidence, where.accuracy, where.count, where.error)
        contents["reliability.png"] = _png(figure)
    if with_predictions:
        if found.confusion is None:
            raise ValueError("predictions are written of a classification alone")
        contents["predictions.csv"] = _csv(predictions(found))
    for name, content in contents.items():
        write_durably(folder / name, lambda file, content=content: file.write(content))
    return [folder / name for name in contents]


def predictions(found: Evaluation) -> Iterable[list[Any]]:
    """A row for each sample in the order of the split: index, label, prediction, the probability of each class."""
    names = [no_formula(name) for name in found.classes]
    yield ["index", "label", "prediction", *(f"probability {name}" for name in found.classes)]
    order = found.index.argsort()
    guesses = found.probabilities.argmax(dim=1)
    columns = (found.index[order], found.labels[order], guesses[order], found.probabilities[order])
    for index, label, guess, row in zip(*(column.tolist() for column in columns), strict=True):
        yield [index, names[label], names[guess], *(f"{value:.6f}" for value in row)]


def as_dict(found: Evaluation, disturbed: Sequence[Disturbed]) -> dict[str, Any]:
    """All numbers of an evaluation."""
    content: dict[str, Any] = {
        "split": found.split,
        "samples": found.samples,
        "scores": found.scores,
        "intervals": {name: list(limits) for name, limits in found.intervals.items()},
    }
    if found.calibration is not None and found.confusion is not None:
        content |= {
            "calibration_error": found.calibration.error,
            "calibration_bins": BINS,
            "classes": [each._asdict() for each in found.per_class],
            "confusion": found.confusion.tolist(),
        }
    if disturbed:
        content["robustness"] = [each._asdict() for each in disturbed]
    return content


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight")
    return file.getvalue()


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
