"""Rows of named values, as a notebook shows them or as a DataFrame of pandas."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from trainyard.errors import UserError

SHOWN = 60  # rows in a notebook


class Rows(list[dict[str, Any]]):
    """A list of dicts, one for each row; what a row lacks is missing there."""

    @property
    def columns(self) -> list[str]:
        """The names of all values, in the order in which they first appear."""
        return list(dict.fromkeys(name for row in self for name in row))

    def frame(self) -> Any:
        """The same as a pandas.DataFrame; UserError if pandas is not installed."""
        try:
            from pandas import DataFrame  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError as error:
            raise UserError("a DataFrame needs pandas: pip install pandas") from error
        return DataFrame(self, columns=self.columns)

    def _repr_html_(self) -> str:
        """What a notebook shows: the first rows as a table."""
        names = self.columns
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(f"<tr>{''.join(f'<td>{_cell(row, name)}</td>' for name in names)}</tr>" for row in self[:SHOWN])
        rest = f"<p>{len(self) - SHOWN:,} more rows</p>" if len(self) > SHOWN else ""
        return f"<table><tr>{head}</tr>{body}</table>{rest}"


def merged(rows: Iterable[Mapping[str, Any]], by: str) -> Rows:
    """A row for each value of `by`, in ascending order, with the last value of every name that was given with it."""
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if (key := row.get(by)) is not None:
            found.setdefault(key, {by: key}).update(row)
    return Rows(found[key] for key in sorted(found))


def with_epochs(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Logged rows, of which one without an epoch, as those of learning rates are, gets that of the next."""
    found, epoch = [], None
    for row in reversed(rows):
        epoch = row.get("epoch", epoch)
        found.append({**row, "epoch": epoch})
    return found[::-1]


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, "")
    return f"{value:.6g}" if isinstance(value, float) else escape(str(value))
