"""The user's own tables: columns of numbers and categories, and one that is to be predicted, or several."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainyard.data.base import DataModule, Samples
from trainyard.data.loading.columns import MISSING, Column, Options, find_columns, training_table, width
from trainyard.data.loading.hashing import content_digest
from trainyard.data.loading.split import check_test_fraction, split_stratified
from trainyard.data.loading.table_cells import class_cells, input_cells, number_cells, row_of
from trainyard.data.loading.table_encoder import TableEncoder, same_in_fp32
from trainyard.data.loading.table_file import Table, find_table, read_table
from trainyard.files import read_small

MOST_LEARNED = 1 << 24  # bytes of the file of columns


class Tabular(DataModule):
    """`path` is a CSV or parquet file, or a folder of train.csv, test.csv and optionally val.csv.

    Of a single file, `test_fraction` of the rows (of each class) are the test split, the same ones whatever the seeds
    are. The network gets a vector of `shape` for each row (see `TableEncoder`); what it consists of is learned
    from the training split alone, without the validation rows. `kind` is that of the targets: `classes`, `numbers`, or
    `labels` of 0 and 1 in several columns. With `unknown=error` a category that no training row has is refused.
    """

    columns_file: Path | None = None  # a run's own, of what was learned in its training

    def __init__(
        self,
        path: str | None,
        shape: list[int],
        target: str | Sequence[str] | None = None,
        kind: str = "classes",
        classes: list[str] | None = None,
        num_classes: int | None = None,
        outputs: Sequence[str] = (),
        num_outputs: int | None = None,
        columns: Sequence[str] | None = None,
        categories: Sequence[str] = (),
        missing: Sequence[str] = MISSING,
        max_categories: int = 100,
        unknown: str = "category",
        test_fraction: float = 0.2,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if unknown not in ("category", "error"):
            raise ValueError(f"unknown={unknown} must be category or error")
        check_test_fraction(test_fraction)
        self.options = Options(str(path), target, columns, tuple(categories), tuple(missing), max_categories, kind)
        self.shape, self.classes, self.num_classes = tuple(shape), classes, num_classes
        self.outputs, self.num_outputs = list(outputs), num_outputs
        self.unknown, self.test_fraction = unknown, test_fraction

    @property
    def columns(self) -> list[str]:
        """The headings of the inputs."""
        return [each.name for each in self.known]

    @cached_property
    def stored(self) -> TableEncoder | None:
        """What the run of `columns_file` has learned."""
        if self.columns_file is None or not self.columns_file.is_file():
            return None
        try:
            return TableEncoder.from_json(read_small(self.columns_file, MOST_LEARNED), self.shape[0])
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{self.columns_file} cannot be used: {error}") from error

    @cached_property
    def known(self) -> list[Column]:
        """The columns of inputs."""
        if self.stored:
            return self.stored.columns
        found = find_columns(training_table(self.options), self.options)
        if width(found) != self.shape[0]:
            raise ValueError(
                f"data.shape={list(self.shape)}, and a row of the table has {width(found)} numbers; leave data.shape "
                "out, or restore the table"
            )
        return found

    @cached_property
    def encoder(self) -> TableEncoder:
        """What makes the network's inputs: the run's own, else what the training split teaches."""
        if self.stored:
            return self.stored
        encoder = TableEncoder(self.known)
        super().setup("fit")
        encoder.learn(self.splits["train"].inputs[self.splits["train"].rows])
        return encoder

    def setup(self, stage: str) -> None:
        self.encoder  # noqa: B018  learned before any split is used
        super().setup(stage)
        if self.unknown == "error":
            for split in set(self.splits) - {"train"}:
                self.refuse_unseen(split)

    def read(self, split: str) -> Samples:
        file = find_table(self.options.path, split)
        samples = self.samples(read_table(file) if file else training_table(self.options))
        if not Path(self.options.path).expanduser().is_file():
            return samples
        rest, test = split_stratified(samples.labels, samples.rows, self.test_fraction, "test")
        return samples.select(test if split == "test" else rest)

    def read_val(self) -> Samples | None:
        file = find_table(self.options.path, "val")
        return self.samples(read_table(file)) if file else None

    def samples(self, table: Table) -> Samples:
        """All rows of a table, and their targets."""
        for name in [*self.columns, *self.outputs]:
            if name not in table.columns:
                raise ValueError(f"{table.file} has no column {name}; it has {', '.join(table.columns)}")
        cells = [self.column(each, table.columns[each.name], table) for each in self.known]
        return Samples(torch.stack(cells, dim=1), self.read_targets(table))

    def read_targets(self, table: Table) -> Tensor:
        """The targets of a table, (N) int64 or (N) float32, of several columns (N, T)."""
        rows = range(len(table))
        if self.options.kind == "classes":
            return torch.tensor(class_cells(self.outputs[0], table, rows, self.classes or ()))
        found = [torch.tensor(number_cells(name, table, rows, self.options.missing)) for name in self.outputs]
        if self.options.kind == "labels":
            for name, values in zip(self.outputs, found, strict=True):
                if wrong := values[(values != 0) & (values != 1)].tolist():
                    raise ValueError(f"{table.file}: the target {name} has {wrong[0]:g}, and labels are 0 or 1")
            return torch.stack(found, dim=1)
        return found[0] if len(found) == 1 else torch.stack(found, dim=1)

    def column(self, column: Column, texts: Sequence[str], table: Table | None = None) -> Tensor:  # (N) float32
        """A column as `TableEncoder` takes it; ValueError, with its line, for a cell that does not fit."""
        found = input_cells(column, texts, self.options.missing, self.unknown == "error", table)
        values = torch.tensor(found, dtype=torch.float64)
        if table and not same_in_fp32(values):
            raise ValueError(f"{table.file}: fp32 rounds the numbers of {column.name} too much; subtract a constant")
        return values.float()

    def refuse_unseen(self, split: str) -> None:
        """Raise ValueError for a category of the split that no training row has."""
        samples = self.splits[split]
        rows = samples.inputs[samples.rows]
        for _, place in self.encoder.unseen(rows).nonzero()[:1].tolist():
            column = self.encoder.columns[place]
            code = int(rows[self.encoder.unseen(rows)[:, place], place][0])
            name = (column.categories or ())[code] if code >= 0 else "a new one"
            raise ValueError(
                f"the category {name} of {column.name} is in the {split} split, and no training row has it; "
                "data.unknown=category takes it"
            )

    def prepare_inputs(self, inputs: Any) -> Tensor:
        """Rows: lists of cells in the order of `columns`, or mappings from their names; or an array of numbers."""
        names = self.columns
        if hasattr(inputs, "to_dict") and hasattr(inputs, "columns"):  # a DataFrame of pandas
            inputs = [dict(zip(inputs.columns, row, strict=True)) for row in inputs.itertuples(index=False)]
        if not isinstance(inputs, list | tuple):
            found = super().prepare_inputs(inputs).float()
            if found.ndim != 2 or found.shape[1] != len(names):
                raise ValueError(f"the rows are {tuple(found.shape)}, and predict takes (N, {len(names)})")
            return found
        rows = [row_of(each, names) for each in inputs]
        cells = [self.column(each, [row[at] for row in rows]) for at, each in enumerate(self.known)]
        return torch.stack(cells, dim=1)

    def transform(self, inputs: Tensor, keys: Tensor | None) -> Tensor:
        return self.encoder.to(inputs.device)(inputs)

    def digests(self) -> dict[str, str]:
        names = repr([(each.name, each.categories) for each in self.known] + [self.outputs, self.classes])
        return {
            split: " ".join([*words, content_digest(digest, names)])
            for split, text in super().digests().items()
            for *words, digest in [text.split(" ")]
        }
