"""Columns of a table of Hugging Face's `datasets` as a map-style dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainyard.data.loading.decode import image_of
from trainyard.data.loading.hf_tables import package
from trainyard.errors import did_you_mean

TEXTS = ("string", "large_string")


def check_column(table: Any, name: str, key: str) -> None:
    """Raise ValueError unless the table has the column that the config's `key` names."""
    if name not in table.column_names:
        known = ", ".join(table.column_names)
        raise ValueError(
            f"data.{key}={name} is not a column.{did_you_mean(name, table.column_names)} The table has {known}"
        )


def class_names(table: Any, column: str) -> list[str] | None:
    """The classes of a column: those that it names, its texts, or its whole numbers from 0; None for others."""
    kind = table.features[column]
    if type(kind).__name__ == "ClassLabel":
        return list(kind.names)
    dtype = getattr(kind, "dtype", "")
    if dtype in TEXTS:
        return sorted(value for value in set(table[column]) if value is not None)
    if dtype == "bool" or dtype.startswith(("int", "uint")):
        return [str(number) for number in range(int(max(table[column])) + 1)]
    return None


def labels_of(table: Any, column: str, classes: Sequence[str] | None) -> list[Any]:
    """The targets of all rows: places among the classes where the column has texts, else its numbers."""
    kind, values = table.features[column], list(table[column])
    is_text = getattr(kind, "dtype", "") in TEXTS
    unlabeled = (None, -1) if type(kind).__name__ == "ClassLabel" else (None,)
    places = {name: place for place, name in enumerate(classes or ())}
    for row, value in enumerate(values):
        if value in unlabeled:
            raise ValueError(f"row {row} of the column {column} has no label ({value}); remove such rows")
        if is_text and value not in places:
            raise ValueError(f"row {row} of the column {column} is {value!r}, none of the classes {', '.join(places)}")
    return [places[value] for value in values] if is_text else values


class Columns:
    """A row is (input, target). `inputs` is a column of images or numbers, or several columns, as a vector."""

    def __init__(
        self,
        table: Any,
        inputs: str | Sequence[str],
        target: str,
        transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        names = [inputs] if isinstance(inputs, str) else list(inputs)
        for name, key in [*((name, "input") for name in names), (target, "target")]:
            check_column(table, name, key)
        self.is_image = type(table.features[names[0]]).__name__ == "Image"
        if self.is_image:  # as bytes: the package itself would follow an address in a file
            table = table.cast_column(names[0], package().Image(decode=False))
        self.table, self.names, self.transform = table, names, transform
        self.classes = list(classes) if classes else class_names(table, target)
        self.targets = labels_of(table, target, self.classes)
        self.is_single = isinstance(inputs, str)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        cells = self.table[row]
        values = [cells[name] for name in self.names]
        if any(value is None for value in values):
            raise ValueError(f"row {row} has no {self.names[values.index(None)]}")
        if self.is_image:
            value = open_image(values[0], f"the image of row {row}")
        else:
            value = np.asarray(values[0] if self.is_single else values)
        return (self.transform(value) if self.transform else value), self.targets[row]


def open_image(cell: dict[str, Any], named: str) -> Image.Image:
    """An image of its bytes, or of the local file that the cell names; ValueError, `named`, if it is none."""
    if cell["bytes"] is not None:
        return image_of(cell["bytes"], named)
    if "://" in cell["path"]:
        raise ValueError(f"{named} is at {cell['path']}, and nothing is downloaded")
    return image_of(Path(cell["path"]), named)
