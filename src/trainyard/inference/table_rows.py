"""Rows of a CSV file: some of its columns, one row at a time."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainyard.data.imdb import MAX_TEXT
from trainyard.files import open_regular


def read_cells(
    file: Path, columns: Sequence[str], default: Sequence[str], has_numbers: bool
) -> Iterator[tuple[str, list[str]]]:
    """(FILE:LINE, the cells of `columns`) of each row.

    Without `columns` they are the `default` ones, if the headings name them, else the only one; of numbers all. Only a
    table of numbers may lack headings. ValueError for one that cannot be read, or lacks a column.
    """
    csv.field_size_limit(MAX_TEXT)
    with io.TextIOWrapper(open_regular(file), encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines)
        line = 0
        try:
            head = next(rows, None)
            if head is None:
                raise ValueError(f"{file} is empty")
            if has_numbers and not columns and all(_is_number(cell) for cell in head):
                yield f"{file}:1", head
                places = list(range(len(head)))
            else:
                places = _places(file, head, columns, default, has_numbers)
            line = rows.line_num
            for row in rows:
                if row:
                    yield f"{file}:{line + 1}", [row[place] if place < len(row) else "" for place in places]
                line = rows.line_num
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not UTF-8 (byte {error.start}); convert it") from error
        except csv.Error as error:
            raise ValueError(f"{file}, line {line + 1}: {error}") from error


def _places(
    file: Path, head: list[str], columns: Sequence[str], default: Sequence[str], has_numbers: bool
) -> list[int]:
    """Where the columns are; ValueError for one that the table lacks, or if it is not clear which are meant."""
    names = ", ".join(head)
    for column in columns:
        if column not in head:
            raise ValueError(f"{file} has no column {column}; it has {names}")
    if columns:
        return [head.index(column) for column in columns]
    if has_numbers or len(head) == 1:
        return list(range(len(head)))
    if default and all(column in head for column in default):
        return [head.index(column) for column in default]
    raise ValueError(f"{file} has the columns {names}; --column names the one to read")


def numbers_of(cells: Sequence[str], name: str) -> list[float]:
    """The cells as numbers; ValueError naming the first that is none."""
    wrong = [cell for cell in cells if not _is_number(cell)]
    if wrong:
        raise ValueError(f"{name}: {wrong[0]!r} is not a number")
    return [float(cell) for cell in cells]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
