"""Tables as columns of texts: CSV files with headings, and parquet. (Nothing here imports torch.)"""

import csv
import io
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from trainyard.files import open_regular

MOST_CELL = 1 << 20  # characters of a cell
SUFFIXES = (".csv", ".parquet")


class Table(NamedTuple):
    """The cells of a table, column by column."""

    file: Path
    columns: dict[str, list[str]]
    lines: list[int]  # of each row, in the file

    def __len__(self) -> int:
        return len(self.lines)


def find_table(path: str | Path, split: str = "train") -> Path | None:
    """The file of a split, in a folder of train.csv (or .parquet), test.csv and optionally val.csv.

    None if there is none: `path` is a single file, whose rows are all splits, or there is no val. FileNotFoundError for
    what must be there.
    """
    folder = Path(path).expanduser()
    if folder.is_file():
        return folder if split == "train" else None
    if not folder.is_dir():
        raise FileNotFoundError(f"data.path={path} is neither a table (.csv, .parquet) nor a folder of tables")
    found = [folder / f"{split}{suffix}" for suffix in SUFFIXES if (folder / f"{split}{suffix}").is_file()]
    if not found and split != "val":
        raise FileNotFoundError(f"{folder} has no {split}.csv; a folder needs train.csv and test.csv, a file is split")
    return found[0] if found else None


def read_table(file: Path) -> Table:
    """All cells of a table; ValueError for a file that is none. Read once, unless it has changed since."""
    stat = file.stat()
    return _read(str(file), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read(file: str, changed: int, size: int) -> Table:
    path = Path(file)
    if path.suffix.lower() == ".parquet":
        return read_parquet(path)
    if path.suffix.lower() != ".csv":
        raise ValueError(f"{path} is not named like a table: {' or '.join(SUFFIXES)}")
    return read_csv(path)


def read_csv(file: Path) -> Table:
    """The cells of a CSV file in UTF-8, whose first row has the headings."""
    csv.field_size_limit(MOST_CELL)
    rows, lines, line = [], [], 0
    try:
        with io.TextIOWrapper(open_regular(file), encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            head = [name.strip() for name in next(reader, [])]
            check_headings(file, head)
            line = reader.line_num
            for row in reader:
                if row:
                    if len(row) != len(head):
                        raise ValueError(
                            f"{file}, line {line + 1} has {len(row)} cells, and there are {len(head)} headings; "
                            "repair the line"
                        )
                    rows.append(row)
                    lines.append(line + 1)
                line = reader.line_num
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 (byte {error.start}); convert it") from error
    except csv.Error as error:
        raise ValueError(f"{file}, line {line + 1}: {error}") from error
    if not rows:
        raise ValueError(f"{file} has headings and no rows")
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    return Table(file, {name: [cell.strip() for cell in cells] for name, cells in columns.items()}, lines)


def check_headings(file: Path, head: list[str]) -> None:
    """Raise ValueError unless each column has a name of its own."""
    if not head:
        raise ValueError(f"{file} is empty; its first row should have the headings")
    if len(head) == 1 and (other := next((letter for letter in (";", "\t") if letter in head[0]), None)):
        raise ValueError(f"{file} has cells separated by {other!r}; convert it to commas")
    if twice := next((name for place, name in enumerate(head) if name in head[:place]), None):
        raise ValueError(f"{file} has two columns named {twice}; rename one")
    if "" in head:
        raise ValueError(f"{file}: column {head.index('') + 1} has no heading; name it")


def read_parquet(file: Path) -> Table:
    """The cells of a parquet file as texts, exactly: numbers can be read back from them."""
    try:
        import pyarrow.parquet as parquet  # pyright: ignore
    except ImportError as error:
        raise ValueError(
            f"{file}: parquet needs a package that is not installed: pip install 'trainyard[tables]'; or convert it to "
            "CSV"
        ) from error
    try:
        found = parquet.read_table(os.fspath(file)).to_pydict()
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise ValueError(f"{file} cannot be read as parquet ({str(error).splitlines()[0]})") from error
    columns = {str(name): [_as_text(cell) for cell in cells] for name, cells in found.items()}
    count = len(next(iter(columns.values()), []))
    if not count:
        raise ValueError(f"{file} has no rows")
    return Table(file, columns, list(range(1, count + 1)))


def _as_text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(cell).strip()
