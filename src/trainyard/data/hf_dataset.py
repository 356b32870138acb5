"""Images and numbers in local tables of Hugging Face's `datasets`: save_to_disk, parquet, arrow, json, csv."""

from collections.abc import Callable, Sequence
from typing import Any

from trainyard.data.loading.hf_columns import Columns
from trainyard.data.loading.hf_tables import open_tables
from trainyard.data.map_style import MapStyle


class HFDataset(MapStyle):
    """`path` is what `save_to_disk` has written, a file, or a folder of files named train, test and validation.

    `input` is a column of images or numbers, or several columns; `target` one of classes or numbers. `transform` is
    for training; validation and test have `eval_transform`.
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
        **map_style: Any,
    ) -> None:
        tables = open_tables(path)

        def columns(split: str, chosen: Callable[[Any], Any] | None) -> Columns | None:
            return Columns(tables[split], input, target, chosen, classes) if split in tables else None

        super().__init__(
            train=columns("train", transform),
            held_out=columns("train", eval_transform),
            val=columns("val", eval_transform),
            test=columns("test", eval_transform),
            shape=shape,
            classes=classes,
            **map_style,
        )
