"""What is to be explained: inputs of the user's, or samples of the test split, with labels where they are known."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from trainyard.data.base import DataModule
from trainyard.data.text import Text
from trainyard.inference.inputs import Input


class Sample(NamedTuple):
    """An input and, if it is known, the name of its class."""

    name: str
    value: Any  # what `DataModule.prepare_inputs` takes a list of
    label: str | None = None


def from_values(values: Any) -> list[Sample]:
    """Samples from what a notebook has: a text, a file, an image, or several of them; a tensor has one in each row."""
    values = [values] if isinstance(values, str | Path | Image.Image) else list(values)
    names = [str(value) if isinstance(value, str | Path) else f"input {i}" for i, value in enumerate(values)]
    return [Sample(name, value) for name, value in zip(names, values, strict=True)]


def labeled(inputs: Iterable[Input | Sample], classes: list[str]) -> Iterator[Sample]:
    """The inputs, with the class that a file's folder is called after, as in dog/1.png."""
    for each in inputs:
        label = getattr(each, "label", None)
        folder = Path(each.name).parent.name if "\0" not in each.name else ""
        if label is None and folder in classes and os.path.isfile(each.name):  # noqa: PTH113  Path's raises
            label = folder
        yield Sample(each.name, each.value, label)


def from_test_split(data: DataModule, classes: list[str], count: int) -> list[Sample]:
    """`count` samples of the test split, at equal distances; ValueError for a count that there is not."""
    data.prepare_data()
    data.setup("test")
    split = data.splits["test"]
    if not 1 <= count <= len(split):
        raise ValueError(f"samples={count} must be 1 to {len(split):,}, the size of the test split")
    rows = split.rows[torch.linspace(0, len(split) - 1, count).round().long()]
    labels = [classes[label] for label in split.all_labels[rows].tolist()]
    texts = data.texts("test")[0] if isinstance(data, Text) else None
    found = [texts[row] for row in rows.tolist()] if texts else split.inputs[rows]
    return [Sample(f"test {row}", value, label) for row, value, label in zip(rows.tolist(), found, labels, strict=True)]
