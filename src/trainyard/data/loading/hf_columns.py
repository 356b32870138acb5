"""Columns of a table of Hugging Face's `datasets` as a map-style dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainyard.data.loading.decode import image_of
from trainyard.data.loading.hf_tables import package
from trainyard.data.loading.items import check_class_count
from trainyard.errors import did_you_mean

TEXTS = ("string", "large_string")


def check_column(table: Any, name: str, key: str) -> None:
    """Raise ValueError unless the table has the column that the config's `key` names."""
    if name not in table.column_names:
        known = ", ".join(table.column_names)
        raise ValueError(
            f"data.{key}={name} is not a column.{did_you_mean(name, table.column_names)} The table has {known}"
        )


def is_named(kind: Any) -> bool:
    """Whether a column has ClassLabels: the places of its classes in a list of its own."""
    return type(kind).__name__ == "ClassLabel"


def is_whole(kind: Any) -> bool:
    """Whether a column has whole numbers."""
    dtype = getattr(kind, "dtype", "")
    return dtype == "bool" or dtype.startswith(("int", "uint"))


def class_names(table: Any, column: str) -> list[str] | None:
    """The classes of a column: those that it names, its texts, or its whole numbers from 0; None for others."""
    kind = table.features[column]
    if is_named(kind):
        return list(kind.names)
    if getattr(kind, "dtype", "") in TEXTS:
        return sorted(value for value in set(table[column]) if value is not None)
    if is_whole(kind):
        largest = max((int(value) for value in table[column] if value is not None), default=-1)
        check_class_count(largest, len(table), f"the column {column}")
        return [str(number) for number in range(largest + 1)]
    return None


def labels_of(table: Any, column: str, classes: Sequence[str] | None) -> list[Any]:
    """The targets of all rows: places among the classes (a ClassLabel's own may differ), else the column's numbers."""
    kind, values = table.features[column], list(table[column])
    unlabeled = (None, -1) if is_named(kind) else (None,)
    for row, value in enumerate(values):
        if value in unlabeled:
            raise ValueError(f"row {row} of the column {column} has no label ({value}); remove such rows")
    if classes is None or not (is_named(kind) or is_whole(kind) or getattr(kind, "dtype", "") in TEXTS):
        return values
    by_number = is_whole(kind) and not is_named(kind)
    places: dict[Any, int] = {i if by_number else name: i for i, name in enumerate(classes)}
    if is_named(kind):
        values = [kind.names[value] for value in values]
    for row, value in enumerate(values):
        if value not in places:
            known = ", ".join(map(str, places))
            raise ValueError(f"row {row} of the column {column} is {value!r}, none of the classes {known}")
    return [places[value] for value in values]


def check_complete(table: Any, names: Sequence[str]) -> None:
    """Raise ValueError for an empty cell in a column."""
    for name in names:
        if table.data.column(name).null_count:  # of the file: `table` may be some of its rows
            row = next((row for row, value in enumerate(table[name]) if value is None), None)
            if row is not None:
                raise ValueError(f"row {row} of the column {name} is empty; remove such rows")


class Columns:
    """A row is (input, target). `inputs` is a column of images or numbers, or several columns, as a vector.

    Without `has_classes` the target is a number to predict, whole or not.
    """

    def __init__(
        self,
        table: Any,
        inputs: str | Sequence[str],
        target: str,
        transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] | None = None,
        has_classes: bool = True,
    ) -> None:
        names = [inputs] if isinstance(inputs, str) else list(inputs)
        for name, key in [*((name, "input") for name in names), (target, "target")]:
            check_column(table, name, key)
        self.is_image = type(table.features[names[0]]).__name__ == "Image"
        if self.is_image:  # as bytes: the package itself would follow an address in a file
            table = table.cast_column(names[0], package().Image(decode=False))
        self.table, self.names, self.transform = table, names, transform
        check_complete(table, names)
        self.classes = list(classes) if classes else class_names(table, target) if has_classes else None
        self.targets = labels_of(table, target, self.classes)
        self.is_single = isinstance(inputs, str)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        cells = self.table[row]
        values = [cells[name] for name in self.names]
        if self.is_image:
            value = open_image(values[0], f"the image of row {row}")
        else:
            value = np.asarray(values[0] if self.is_single else values)
            if value.dtype.kind in "biu" and not any(isinstance(each, list) for each in values):
                value = value.astype(np.float32)  # lists of whole numbers may be tokens
        return (self.transform(value) if self.transform else value), self.targets[row]


def open_image(cell: dict[str, Any], named: str) -> Image.Image:
    """An image of its bytes, or of the local file that the cell names; ValueError, `named`, if it is none."""
    if cell["bytes"] is not None:
        return image_of(cell["bytes"], named)
    if "://" in cell["path"]:
        raise ValueError(f"{named} is at {cell['path']}, and nothing is downloaded")
    return image_of(Path(cell["path"]), named)
