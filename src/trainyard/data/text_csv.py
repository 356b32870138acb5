"""The user's own texts in tables: root/train.csv, root/test.csv and optionally root/val.csv."""

import csv
import io
from itertools import islice
from pathlib import Path
from typing import Any

from trainyard.data.imdb import MAX_TEXT
from trainyard.data.loading.cache import cache_beside
from trainyard.data.text import Text
from trainyard.files import open_regular


class TextCSV(Text):
    """A column of texts and one of class names, named by their headings, in UTF-8. The tokens are in root/.tokens."""

    def __init__(
        self, root: str, text_column: str = "text", label_column: str = "label", cache: str | None = None, **text: Any
    ) -> None:
        self.root, self.columns = Path(root).expanduser(), (text_column, label_column)
        super().__init__(cache=cache or str(cache_beside(self.root, ".tokens", "tokens").parent), **text)

    def has_val(self) -> bool:
        return (self.root / "val.csv").is_file()

    def fingerprint(self) -> str:
        files = [self.root / f"{split}.csv" for split in ("train", "test", "val")]
        stats = [(str(file), file.stat()) for file in files if self.exists(file)]
        return repr((self.columns, self.classes, [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]))

    def exists(self, file: Path) -> bool:
        """Whether the file exists; FileNotFoundError for one that is required."""
        if not file.is_file() and file.stem != "val":
            raise FileNotFoundError(f"{file} is missing: it should contain the columns {' and '.join(self.columns)}")
        return file.is_file()

    def texts(self, split: str) -> tuple[list[str], list[int]]:
        file = self.root / f"{split}.csv"
        texts, labels = [], []
        csv.field_size_limit(MAX_TEXT)
        start = line = 0  # the lines before the latest row, and after it
        try:
            with self.open(file) as lines:
                reader = csv.DictReader(lines)
                if not reader.fieldnames:
                    raise ValueError(f"{file} is empty; it needs a row with the headings {' and '.join(self.columns)}")
                missing = [name for name in self.columns if name not in (reader.fieldnames or [])]
                if missing:
                    raise ValueError(f"{file} has no column {missing[0]}; it has {', '.join(reader.fieldnames or [])}")
                for row in reader:
                    start, line = line, reader.line_num
                    texts.append(self.text_of(row, file, line))
                    labels.append(self.label_of(row, file, line))
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not UTF-8 (byte {error.start}); convert it") from error
        except csv.Error as error:
            raise ValueError(f"{file}, line {line + 1}: {error}") from error
        except ValueError:
            self.check_closed(file, start)
            raise
        self.check_closed(file, start)
        return texts, labels

    def open(self, file: Path) -> io.TextIOWrapper:
        """A table opened for reading, without the byte order mark that Excel writes."""
        return io.TextIOWrapper(open_regular(file), encoding="utf-8-sig", newline="")

    def check_closed(self, file: Path, start: int) -> None:
        """Raise ValueError if the row after `start` lines has a quote that is not closed, so that it never ends."""
        with self.open(file) as lines:
            try:
                next(csv.reader(islice(lines, start, None), strict=True), None)
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise ValueError(f"{file}, line {start + 1}: a quote is not closed") from error

    def text_of(self, row: dict[str, str], file: Path, line: int) -> str:
        """The text of a row; ValueError for an empty one."""
        text = row[self.columns[0]]
        if not (text or "").strip():
            raise ValueError(f"{file}, line {line}: the text is empty; delete the line or write a text into it")
        return text

    def label_of(self, row: dict[str, str], file: Path, line: int) -> int:
        """The label of a row; ValueError for an unknown class."""
        name = row[self.columns[1]]
        if name not in self.classes:
            raise ValueError(f"{file}, line {line}: {name} is not one of the classes {', '.join(self.classes)}")
        return self.classes.index(name)
