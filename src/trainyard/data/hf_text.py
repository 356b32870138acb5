"""Labeled texts in local tables of Hugging Face's `datasets`: save_to_disk, parquet, arrow, json, csv."""

from pathlib import Path
from typing import Any

import torch

from trainyard.data.loading.hf_columns import check_column, labels_of
from trainyard.data.loading.hf_tables import files_below, open_tables
from trainyard.data.loading.split import check_test_fraction, split_stratified
from trainyard.data.text import Text


class HFText(Text):
    """A column of texts and one of labels, of the splits train, test and optionally validation.

    Without a test split, `test_fraction` of the rows of each class are it, the same ones whatever the seeds are.
    """

    def __init__(
        self,
        path: str | None,
        text_column: str = "text",
        label_column: str = "label",
        test_fraction: float = 0.2,
        **text: Any,
    ) -> None:
        super().__init__(**text)
        check_test_fraction(test_fraction)
        self.path, self.columns, self.test_fraction = path, (text_column, label_column), test_fraction

    def has_val(self) -> bool:
        return "val" in open_tables(self.path)

    def fingerprint(self) -> str:
        open_tables(self.path)
        stats = [(str(file), file.stat()) for file in files_below(Path(str(self.path)).expanduser())]
        files = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        return repr((self.columns, self.classes, self.test_fraction, files))

    def texts(self, split: str) -> tuple[list[str], list[int]]:
        tables = open_tables(self.path)
        table = tables.get(split, tables["train"])
        for name, key in zip(self.columns, ("text_column", "label_column"), strict=True):
            check_column(table, name, key)
        texts, labels = list(table[self.columns[0]]), labels_of(table, self.columns[1], self.classes)
        bad = next((row for row, text in enumerate(texts) if not isinstance(text, str) or not text.strip()), None)
        if bad is not None:
            raise ValueError(f"row {bad} of the column {self.columns[0]} is {texts[bad]!r}, which is no text")
        if "test" in tables or split == "val":
            return texts, labels
        found = torch.tensor(labels)
        rest, test = split_stratified(found, torch.arange(len(found)), self.test_fraction, "test")
        rows = (test if split == "test" else rest).tolist()
        return [texts[row] for row in rows], [labels[row] for row in rows]
