"""The cells of a table as numbers: inputs, targets, indices of classes. What does not fit is named with its line."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainyard.data.loading.columns import Column, is_number
from trainyard.data.loading.table_file import Table


def input_cells(
    column: Column, texts: Sequence[str], missing: Sequence[str], refuses_new: bool, table: Table | None = None
) -> list[float]:
    """The numbers of a column, or the places of its categories; nan for a missing cell, -1 for a new category."""
    codes = {name: float(code) for code, name in enumerate(column.categories or ())}
    found = []
    for place, text in enumerate(texts):
        where = f"{table.file}, line {table.lines[place]}: " if table else ""
        if text in missing:
            found.append(float("nan"))
        elif column.categories is not None:
            if text not in codes and refuses_new:
                raise ValueError(
                    f"{where}{column.name} is {text!r}, a category that the training table does not have; "
                    "data.unknown=category takes it"
                )
            found.append(codes.get(text, -1.0))
        elif is_number(text):
            found.append(float(text))
        else:
            raise ValueError(
                f"{where}{column.name} is {text!r}, and the column has numbers; data.missing names what stands for an "
                "empty cell"
            )
    return found


def row_of(given: Any, names: Sequence[str]) -> list[str]:
    """The cells of a row as texts; ValueError for a row of another length, or one that lacks a column."""
    if isinstance(given, Mapping):
        if lacking := [name for name in names if name not in given]:
            raise ValueError(f"a row has no {lacking[0]}; it has {', '.join(map(str, given))}")
        given = [given[name] for name in names]
    cells = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(cells) != len(names):
        raise ValueError(f"a row has {len(cells)} cells, and there are {len(names)} columns: {', '.join(names)}")
    return ["" if cell is None else str(cell).strip() for cell in cells]


def number_cells(name: str, table: Table, rows: Sequence[int], missing: Sequence[str]) -> list[float]:
    """Targets as numbers; ValueError, with its line, for a cell that is none."""
    cells = table.columns[name]
    for row in rows:
        if not is_number(cells[row]):
            what = "is empty" if cells[row] in missing else f"is {cells[row]!r}, not a number"
            raise ValueError(
                f"{table.file}, line {table.lines[row]}: the target {name} {what}; delete the row, or choose another "
                "data.target, or for words task=classification"
            )
    return [float(cells[row]) for row in rows]


def class_cells(name: str, table: Table, rows: Sequence[int], classes: Sequence[str]) -> list[int]:
    """Targets as indices of their classes; ValueError, with its line, for an unknown one."""
    place = {each: number for number, each in enumerate(classes)}
    cells = table.columns[name]
    for row in rows:
        if cells[row] not in place:
            raise ValueError(
                f"{table.file}, line {table.lines[row]}: the target {name} is {cells[row]!r}, and the classes are "
                f"{', '.join(classes)}; delete the row, or set data.classes"
            )
    return [place[cells[row]] for row in rows]
