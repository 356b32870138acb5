"""Images and numbers in local tables of Hugging Face's `datasets`: save_to_disk, parquet, arrow, json, csv."""

from collections.abc import Callable, Sequence
from typing import Any

from trainyard.data.loading.hf_columns import Columns
from trainyard.data.loading.hf_tables import open_tables
from trainyard.data.map_style import MapStyle


class Missing:
    """A table that is not there: images are predicted by its transform, and who reads it gets the error."""

    def __init__(self, error: Exception, transform: Callable[[Any], Any] | None) -> None:
        self.error, self.transform = error, transform

    def __len__(self) -> int:
        return 1

    def __getitem__(self, row: int) -> Any:
        raise self.error


class HFDataset(MapStyle):
    """`path` is what `save_to_disk` has written, a file, or a folder of files named train, test and validation.

    `input` is a column of images or numbers, or several columns; `target` one of classes or numbers. `transform` is
    for training; validation and test have `eval_transform`. Without the table inputs can still be prepared.
    """

    def __init__(
        self,
        path: str | None,
        shape: list[int],
        input: str | Sequence[str] = "image",
        target: str = "label",
        transform: Callable[[Any], Any] | None = None,
        eval_transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
        **map_style: Any,
    ) -> None:
        def columns(split: str, chosen: Callable[[Any], Any] | None) -> Columns | None:
            if split not in tables:
                return None
            return Columns(tables[split], input, target, chosen, classes, has_classes=num_classes is not None)

        try:
            tables = open_tables(path)
        except FileNotFoundError as error:
            splits = {"train": Missing(error, eval_transform)}
        else:
            splits = {
                "train": columns("train", transform),
                "held_out": columns("train", eval_transform),
                "val": columns("val", eval_transform),
                "test": columns("test", eval_transform),
            }
        super().__init__(**splits, shape=shape, classes=classes, num_classes=num_classes, **map_style)
