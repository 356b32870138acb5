"""Map-style datasets of others (torch.utils.data.Dataset) as they are, with their own transforms."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from trainyard.data.base import DataModule, Samples
from trainyard.data.loading.dataset_facts import Items
from trainyard.data.loading.decode import image_of
from trainyard.data.loading.hashing import seeded
from trainyard.data.loading.items import Names, input_tensor, stacked
from trainyard.data.loading.order import BatchIndices
from trainyard.data.loading.split import check_test_fraction, split_stratified

log = logging.getLogger(__name__)


class MapSamples(Samples):
    """Samples that a dataset reads one by one, with all generators of random numbers seeded by the sample's key."""

    inputs: Items

    def __getitem__(self, batch: BatchIndices) -> tuple[Tensor, Tensor, BatchIndices]:
        return *self.inputs.read(self.rows[batch.index], batch.keys), batch

    def select(self, index: Tensor) -> "MapSamples":
        return MapSamples(self.inputs, self.all_labels, self.rows[index])


class MapStyle(DataModule):
    """`train`, `val` and `test` are map-style datasets, whose items have an `input` and a `target`.

    Without `val`, `val_fraction` of the training samples are for validation, and without `test`, `test_fraction` of
    them, the same ones whatever the seeds are, for the test; they are read from `held_out`, which is the dataset
    `train` without random transforms, or else from `train`. What a transform draws from Python's, numpy's and torch's
    generators depends on the seed, the epoch and the sample alone. Inputs of bytes are divided by 255.
    """

    def __init__(
        self,
        train: Any,
        shape: list[int],
        val: Any = None,
        test: Any = None,
        held_out: Any = None,
        input: int | str = 0,
        target: int | str = 1,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
        num_outputs: int | None = None,
        test_fraction: float = 0.2,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if classes is not None and num_classes != len(classes):
            raise ValueError(f"num_classes={num_classes}, but there are {len(classes)} classes: {', '.join(classes)}")
        check_test_fraction(test_fraction)
        given = {"train": train, "val": val, "test": test, "held_out": held_out}
        names = Names(input, target)
        self.items = {
            name: Items(dataset, names, f"data.{name}", has_classes=num_classes is not None)
            for name, dataset in given.items() if dataset is not None or name == "train"
        }  # fmt: skip
        if held_out is not None and len(held_out) != len(train):
            raise ValueError(
                f"data.held_out has {len(held_out):,} samples, and data.train has {len(train):,}; it must be the same "
                "dataset, with other transforms"
            )
        self.shape, self.num_classes, self.num_outputs = tuple(shape), num_classes, num_outputs
        self.classes, self.test_fraction = list(classes or []) or None, test_fraction

    @property
    def splits_train(self) -> bool:
        """Whether validation or test samples are some of those of `train`."""
        return not {"val", "test"} <= set(self.items)

    def prepare_data(self) -> None:
        for name, items in self.items.items():
            self.check(items, is_train=name == "held_out")

    def check(self, items: Items, is_train: bool) -> None:
        """Raise ValueError unless a few samples, and all labels, are what the network gets, or those of `train`."""
        found, few = items.read(items.few, items.few)
        if tuple(found.shape[1:]) != self.shape:
            raise ValueError(
                f"{items.named} has samples of shape {list(found.shape[1:])}, and data.shape={list(self.shape)}"
            )
        classes, others = self.items["train"].classes, items.classes
        if classes and others and others != classes[: len(others)]:
            raise ValueError(
                f"{items.named} has the classes {', '.join(others)}, and data.train {', '.join(classes)}; both must "
                "have the same ones in the same order, as a label is a place in this list"
            )
        if is_train:
            if not torch.equal(few, self.items["train"].targets[items.few]):
                raise ValueError(f"{items.named} has other labels than data.train; it must be the same dataset")
            return
        labels = items.targets
        if self.num_classes is None or labels.is_floating_point():
            return
        if not 0 <= int(labels.min()) <= int(labels.max()) < self.num_classes:
            raise ValueError(
                f"{items.named} has labels from {int(labels.min())} to {int(labels.max())}, and with "
                f"data.num_classes={self.num_classes} they are 0 to {self.num_classes - 1}"
            )

    def setup(self, stage: str) -> None:
        is_first = "train" not in self.splits
        super().setup(stage)
        for split in {"val", "test"} & set(self.splits) - set(self.items):
            if "held_out" in self.items:
                samples = self.splits[split]
                self.splits[split] = MapSamples(self.items["held_out"], samples.all_labels, samples.rows)
        if stage == "fit" and is_first:
            self.tell()

    def tell(self) -> None:
        """Say what is not promised of this dataset."""
        items = self.items["train"]
        if not items.repeats:
            log.warning(
                "data.train draws from a generator of its own, which no seed of a sample reaches: a resumed run has "
                "other samples than one that was not stopped"
            )
        elif self.splits_train and "held_out" not in self.items and items.draws:
            log.warning(
                "samples of data.train differ from epoch to epoch, and those held out of it for validation or test are "
                "transformed like them; data.held_out=... is the same dataset without random transforms"
            )

    def read(self, split: str) -> Samples:
        if split in self.items and split != "train":
            return MapSamples(self.items[split], self.items[split].targets)
        whole = MapSamples(self.items["train"], self.items["train"].targets)
        if "test" in self.items:
            return whole
        rest, test = split_stratified(whole.labels, whole.rows, self.test_fraction, "test")
        return whole.select(test if split == "test" else rest)

    def read_val(self) -> Samples | None:
        return self.read("val") if "val" in self.items else None

    def workers(self, split: str) -> int:
        return self.num_workers

    def transform(self, inputs: Tensor, keys: Tensor | None) -> Tensor:
        if inputs.dtype is torch.uint8:
            return inputs.float() / 255
        return inputs.float() if inputs.dtype is torch.bool else inputs

    @property
    def takes_images(self) -> bool:
        """Whether inputs are (channels, height, width), so that files of images can be predicted."""
        return len(self.shape) == 3

    def prepare_inputs(self, inputs: Any) -> Tensor:
        """Inputs (N, *shape); or image files and Pillow images, which the transform of test or validation gets first.

        (Of a dataset that keeps it as `transform`, as torchvision's do.)
        """
        inputs = [inputs] if isinstance(inputs, str | Path | Image.Image) else inputs
        if not isinstance(inputs, list | tuple) or not all(isinstance(x, str | Path | Image.Image) for x in inputs):
            return super().prepare_inputs(inputs)
        items = next(self.items[name] for name in ("test", "held_out", "val", "train") if name in self.items)
        transform = getattr(items.dataset, "transform", None) or (lambda image: image)
        with seeded(0):
            images = [x if isinstance(x, Image.Image) else image_of(Path(x), str(x)) for x in inputs]
            found = stacked([input_tensor(transform(image), "an image") for image in images], "predict")
        if tuple(found.shape[1:]) != self.shape:
            raise ValueError(f"the images are {list(found.shape[1:])} after their transform, not {list(self.shape)}")
        return found
