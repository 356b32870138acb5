"""Predictions as text, line by line: a table to read, CSV, JSON."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from torch import Tensor

from trainyard.errors import no_formula
from trainyard.inference.inputs import short_name
from trainyard.inference.predict import Prediction

Labels = Sequence[str] | None  # the names of the classes; None for what is no classification
AHEAD = 100  # predictions that decide how wide a table's columns are


def ranked(output: Tensor, labels: Sequence[str], top: int) -> list[tuple[str, float]]:
    """The most probable classes, each with its probability."""
    values, classes = output.topk(min(top, len(labels)))
    return [(str(labels[label]), value) for value, label in zip(values.tolist(), classes.tolist(), strict=True)]


def as_table(predictions: Iterable[Prediction], labels: Labels, top: int) -> Iterator[str]:
    """A line for each input: its name, the most probable class with its probability, the next ones."""
    rest = iter(predictions)
    first = list(islice(rest, AHEAD))
    wide = max([5, *(len(short_name(each.input)) for each in first)])
    names = labels or ()
    if len(names) > AHEAD:  # a vocabulary, whose longest word nobody may ever see
        names = [ranked(each.output, names, top=1)[0][0] for each in first]
    label_width = max([5, *map(len, names)])
    if first:
        head = f"{'label':<{label_width}}  probability  next" if labels else "value"
        yield f"{'input':<{wide}}  {head}"
    for each in chain(first, rest):
        name = f"{short_name(each.input):<{wide}}"
        if labels is None:
            yield f"{name}  {'  '.join(f'{value:.6g}' for value in each.output.flatten().tolist())}"
            continue
        (label, probability), *others = ranked(each.output, labels, top)
        more = "  ".join(f"{other} {value:.4f}" for other, value in others)
        unknown = (
            f"  ({each.words.unknown} of {each.words.count} words unknown)" if each.words and each.words.unknown else ""
        )
        yield f"{name}  {label:<{label_width}}  {probability:11.4f}  {more}{unknown}".rstrip()


def as_csv(predictions: Iterable[Prediction], labels: Labels, top: int) -> Iterator[str]:
    """input,label,probability,label_2,probability_2,...; of texts also words,unknown_words; of numbers input,value."""
    for number, each in enumerate(predictions):
        words = {"words": each.words.count, "unknown_words": each.words.unknown} if each.words else {}
        if labels is None:
            values = each.output.flatten().tolist()
            cells = {"value" if len(values) == 1 else f"value_{at}": value for at, value in enumerate(values, start=1)}
        else:
            cells = {}
            for place, (label, probability) in enumerate(ranked(each.output, labels, top), start=1):
                end = "" if place == 1 else f"_{place}"
                cells |= {f"label{end}": no_formula(label), f"probability{end}": f"{probability:.6f}"}
        row = {"input": each.input.name, **cells, **words}
        if not number:
            yield csv_line(row)
        yield csv_line(row.values())


def csv_line(cells: Iterable[Any]) -> str:
    """A line of a CSV file, without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def as_json(predictions: Iterable[Prediction], labels: Labels, top: int) -> Iterator[str]:
    """A list of objects, one a line."""
    yield "["
    line = ""
    for each in predictions:
        found: dict[str, Any] = {"input": each.input.name}
        if labels is None:
            found["value"] = each.output.tolist()
        else:
            best = ranked(each.output, labels, top)
            found["label"] = best[0][0]
            found["top"] = [{"label": label, "probability": round(value, 6)} for label, value in best]
        if each.words:
            found |= {"words": each.words.count, "unknown_words": each.words.unknown}
        if line:
            yield f"{line},"
        line = f"  {json.dumps(found, ensure_ascii=False)}"
    if line:
        yield line
    yield "]"


FORMATTERS: dict[str, Callable[[Iterable[Prediction], Labels, int], Iterator[str]]] = {
    "table": as_table, "csv": as_csv, "json": as_json,
}  # fmt: skip
