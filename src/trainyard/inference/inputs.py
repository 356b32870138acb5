"""From the words of a command (files, folders, texts, numbers, - for stdin) to inputs, one at a time, none decoded."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from trainyard.data.images import Images
from trainyard.data.imdb import read_text
from trainyard.data.loading.table_file import SUFFIXES, read_table
from trainyard.data.map_style import MapStyle
from trainyard.data.tabular import Tabular
from trainyard.data.text import Text
from trainyard.inference.preprocessing import describe_preprocessing
from trainyard.inference.table_rows import numbers_of, read_cells

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".npy")
TEXTS, TABLES = (".txt",), (".csv",)
KINDS = {  # the files of a folder that are inputs
    "image": IMAGES, "text": TEXTS, "row of numbers": TABLES, "row of cells": SUFFIXES,
}  # fmt: skip


class Input(NamedTuple):
    """One input, not read yet if it is an image's file."""

    name: str  # what the user calls it: the file, FILE:LINE, a text itself
    value: Any  # what `DataModule.prepare_inputs` takes a list of: a file, a text, the numbers or cells of a row


def short_name(each: Input, width: int = 60) -> str:
    """The name of an input in one line; of a text its beginning."""
    name = " ".join(each.name.split())
    is_text = isinstance(each.value, str) and each.value == each.name
    return f"{name[: width - 3]}..." if is_text and len(name) > width else name


class Inputs:
    """The inputs that the words of a command name, for a data module: images, texts, or rows of numbers.

    A word is a file, a folder (all files of the kind below it), a CSV file (`columns` are the headings of the texts,
    of the images' files, or of the numbers), `-` (stdin: a text, a file's name or a row on each line), else a text or
    numbers with commas between them. `refuse` is called with a sentence for each input that cannot be read; the rest
    goes on.
    """

    def __init__(
        self,
        data: Any,
        words: Sequence[str],
        columns: Sequence[str] = (),
        refuse: Callable[[str], object] = print,
        stdin: IO[bytes] | None = None,
    ) -> None:
        self.data, self.words, self.columns, self.refuse = data, list(words), tuple(columns), refuse
        self.stdin = stdin
        self.shape = tuple(getattr(data, "shape", ()))  # of an input; of numbers without one the length of the first
        kinds = {Images: "image", Text: "text", Tabular: "row of cells"}
        self.kind = next((name for base, name in kinds.items() if isinstance(data, base)), "row of numbers")
        if isinstance(data, MapStyle) and data.takes_images:
            self.kind = "image"

    def preprocessing(self) -> str:
        """What happens to an input before the network gets it, in a line."""
        return describe_preprocessing(self.data)

    def count(self) -> int | None:
        """How many inputs there are; None if that is known only when they have been read, from stdin or tables."""
        paths = [Path(word) for word in self.words if os.path.exists(word)]  # noqa: PTH110
        if "-" in self.words or any(path.suffix.lower() in SUFFIXES for path in paths):
            return None
        folders = [path for path in paths if path.is_dir()]
        return len(self.words) - len(folders) + sum(len(self.files(folder)) for folder in folders)

    def __iter__(self) -> Iterator[Input]:
        for word in self.words:
            try:
                yield from self.read_stdin() if word == "-" else self.read(word)
            except (ValueError, OSError) as error:
                self.refuse(str(error))

    def read(self, word: str) -> Iterator[Input]:
        """The inputs that a word names; ValueError if there is none."""
        path = Path(word)
        is_there = os.path.exists(word)  # noqa: PTH110  Path's raises for a text that is too long for a name
        if is_there and path.is_dir():
            yield from self.read_folder(path)
        elif is_there and self.kind == "row of cells":
            yield from self.read_rows(path)
        elif is_there and path.suffix.lower() in TABLES:
            yield from self.read_table(path)
        elif is_there:
            yield from self.attempt(word, lambda: self.value_of(path))
        elif self.kind == "image":
            raise ValueError(f"{word} is not there; name image files, folders of them, or - for a list on stdin")
        elif path.suffix.lower() in (*TEXTS, *TABLES) and not any(letter.isspace() for letter in word):
            raise ValueError(f"{word} is not there")
        else:
            yield from self.attempt(word, lambda: self.line_of(word))

    def attempt(self, name: str, value: Callable[[], Any]) -> Iterator[Input]:
        """The input of that name, or nothing if its value cannot be read, which is told."""
        try:
            yield Input(name, value())
        except (ValueError, OSError) as error:
            self.refuse(str(error))

    def value_of(self, file: Path) -> Any:
        """A file's input; ValueError for one that is not text, or for one of a kind that has no numbers."""
        if self.kind == "image":
            return file
        if self.kind == "text":
            return read_text(file)
        raise ValueError(f"{file} is not a table; the network takes rows of numbers, in a CSV file ({TABLES[0]})")

    def line_of(self, line: str) -> Any:
        """The input on a line, or in a word that names no file."""
        if self.kind == "text":
            if not line.strip():
                raise ValueError("a text is empty")
            return line
        if self.kind == "row of cells":
            return next(csv.reader([line]), [])
        return self.shaped(numbers_of(line.split(","), line), line)

    def shaped(self, numbers: list[float], name: str) -> Any:
        """The numbers of an input in its shape; ValueError if there are too many or too few."""
        self.shape = self.shape or (len(numbers),)
        if len(numbers) != (wanted := prod(self.shape)):
            raise ValueError(f"{name} has {len(numbers)} numbers, and the network takes {wanted} (--column names them)")
        return numbers if len(self.shape) == 1 else np.array(numbers).reshape(self.shape)

    def read_folder(self, folder: Path) -> Iterator[Input]:
        """All files of the kind below a folder, by name; ValueError if there is none."""
        if not (files := self.files(folder)):
            raise ValueError(f"{folder} contains no {self.kind} ({', '.join(KINDS[self.kind])})")
        for file in files:
            yield from self.read(str(file))

    def files(self, folder: Path) -> list[Path]:
        """The files of the kind below a folder, none of them hidden."""
        found = (file for file in folder.rglob("*") if file.suffix.lower() in KINDS[self.kind])
        return sorted(file for file in found if not file.name.startswith(".") and file.is_file())

    def read_stdin(self) -> Iterator[Input]:
        """An input for each line of stdin that is not empty; ValueError if there is none."""
        count = 0
        lines: Iterable[bytes] = self.stdin or (sys.stdin.buffer if sys.stdin else ())
        for count, line in enumerate(lines, start=1):
            text, place = os.fsdecode(line).rstrip("\r\n"), f"stdin, line {count}"
            if self.kind == "image" and text.strip():
                yield Input(text, Path(text))
            elif text.strip():
                yield from self.attempt(place, lambda text=text, place=place: self.line_of(_checked(text, place)))
        if not count:
            raise ValueError("stdin is empty; it should have an input on each line")

    def read_rows(self, file: Path) -> Iterator[Input]:
        """An input for each row of a table that has the columns of the run's own; ValueError if one is lacking."""
        if self.columns:
            raise ValueError(f"--column={self.columns[0]}: the run knows its columns; leave that out")
        table = read_table(file)
        for name in self.data.columns:
            if name not in table.columns:
                raise ValueError(f"{file} has no column {name}; it has {', '.join(table.columns)}")
        for line, *cells in zip(table.lines, *(table.columns[name] for name in self.data.columns), strict=True):
            yield Input(f"{file}:{line}", cells)

    def read_table(self, file: Path) -> Iterator[Input]:
        """An input for each row of a CSV file."""
        default = getattr(self.data, "columns", ("text",))[:1] if self.kind == "text" else ()
        for name, cells in read_cells(file, self.columns, default, has_numbers=self.kind == "row of numbers"):
            if self.kind == "row of numbers":
                yield from self.attempt(name, lambda cells=cells, name=name: self.shaped(numbers_of(cells, name), name))
            elif len(cells) != 1:
                raise ValueError(f"{file}: {len(cells)} columns are named, and a {self.kind} has one")
            elif not cells[0].strip():
                self.refuse(f"{name}: the {self.kind} is empty")
            else:
                yield Input(name, file.parent / cells[0] if self.kind == "image" else cells[0])


def _checked(text: str, name: str) -> str:
    """The text of a line; ValueError unless it was UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} is not UTF-8 (character {error.start}); convert it") from error
    return text
