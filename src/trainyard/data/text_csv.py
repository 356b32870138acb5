"""The user's own texts in tables: root/train.csv, root/test.csv and optionally root/val.csv."""

import csv
from pathlib import Path
from typing import Any

from trainyard.data.text import Text


class TextCSV(Text):
    """A column of texts and one of class names, named by their headings, in UTF-8. The tokens are in root/.tokens."""

    def __init__(
        self, root: str, text_column: str = "text", label_column: str = "label", cache: str | None = None, **text: Any
    ) -> None:
        self.root, self.columns = Path(root).expanduser(), (text_column, label_column)
        super().__init__(cache=cache or str(self.root / ".tokens"), **text)

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
        try:
            with file.open(encoding="utf-8", newline="") as lines:
                reader = csv.DictReader(lines)
                if not reader.fieldnames:
                    raise ValueError(f"{file} is empty; it needs a row with the headings {' and '.join(self.columns)}")
                missing = [name for name in self.columns if name not in (reader.fieldnames or [])]
                if missing:
                    raise ValueError(f"{file} has no column {missing[0]}; it has {', '.join(reader.fieldnames or [])}")
                for row in reader:
                    texts.append(self.text_of(row, file, reader.line_num))
                    labels.append(self.label_of(row, file, reader.line_num))
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not UTF-8 (byte {error.start}); convert it") from error
        return texts, labels

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
