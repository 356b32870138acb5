"""What all datasets share: three splits, whole batches by index, and the loader."""

from math import ceil
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainyard.data.loading.balance import KINDS, Balance
from trainyard.data.loading.hashing import content_digest, seeded, stable_hash
from trainyard.data.loading.order import BatchIndices, BatchOrder
from trainyard.data.loading.split import split_fold, split_stratified
from trainyard.data.loading.workers import start_worker


class Samples(Dataset):
    """Inputs and labels, read a whole batch of indices at once; `rows` selects samples, by default all.

    `inputs` is a tensor, or anything that can be indexed by a tensor like one (files that are decoded when read).
    `source` is the digest of the files that a tensor was read from, if they could also be read later.
    """

    def __init__(self, inputs: Any, labels: Tensor, rows: Tensor | None = None, source: str | None = None) -> None:
        self.inputs, self.all_labels, self.source = inputs, labels, source
        self.rows = torch.arange(len(labels)) if rows is None else rows

    @property
    def labels(self) -> Tensor:
        """The labels of the selected samples."""
        return self.all_labels[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, batch: BatchIndices) -> tuple[Any, Tensor, BatchIndices]:
        rows = self.rows[batch.index]
        if isinstance(self.inputs, Tensor):
            return self.inputs[rows], self.all_labels[rows], batch
        with seeded(int(batch.keys[0])):  # what reading draws depends on epoch and batch
            return self.inputs[rows], self.all_labels[rows], batch

    def select(self, index: Tensor) -> "Samples":
        """The samples of `index` alone, without a copy."""
        return Samples(self.inputs, self.all_labels, self.rows[index], self.source)


class DataModule(LightningDataModule):
    """Subclasses define `read`, and `transform` for what happens to a batch on the device.

    `batch_size` counts the samples of a step over all processes. Where the data has no validation split of its own,
    `val_fraction` of the training split becomes it or, with `folds` (cross-validation), fold number `fold`; of the
    remaining samples the part `fraction` is used. These choices depend only on `split_seed`, never on `seed`, which
    orders and augments the data. An epoch has each training sample once, or, with `sampling=balanced`, as many samples
    drawn with replacement, each class being equally likely.
    """

    starts_at_any_batch = True  # a resumed run continues within an epoch; without it, between two epochs
    mixes_neighbors = False  # whether `mix` mixes each sample with the one before it
    share: BatchIndices | None = None  # the batch that is transformed
    is_copy = False  # whether another process has the current batch as well, and counts it

    def __init__(
        self,
        batch_size: int,
        eval_batch_size: int = 500,
        num_workers: int = 0,
        seed: int = 0,
        split_seed: int = 0,
        val_fraction: float = 0.1,
        fraction: float = 1.0,
        folds: int | None = None,
        fold: int = 0,
        sampling: str = "shuffled",
    ) -> None:
        super().__init__()
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction={fraction} must be in (0, 1]")
        if not 0 < val_fraction < 1:
            raise ValueError(f"val_fraction={val_fraction} must be in (0, 1)")
        if folds is not None and not (folds >= 2 and 0 <= fold < folds):
            raise ValueError(f"folds={folds} must be at least 2, and fold={fold} one of 0 to folds - 1")
        if sampling not in KINDS:
            raise ValueError(f"sampling={sampling} is unknown; choose one of {', '.join(KINDS)}")
        if batch_size < 1 or eval_batch_size < 1:
            raise ValueError(f"batch_size={batch_size} and eval_batch_size={eval_batch_size} must be at least 1")
        self.batch_size, self.eval_batch_size, self.num_workers = batch_size, eval_batch_size, num_workers
        self.seed, self.split_seed, self.val_fraction, self.fraction = seed, split_seed, val_fraction, fraction
        self.folds, self.fold, self.sampling = folds, fold, sampling
        self.splits: dict[str, Samples] = {}

    def read(self, split: str) -> Samples:
        """The samples of `train` or `test`."""
        raise NotImplementedError

    def read_val(self) -> Samples | None:
        """The validation samples; None to take them from the training split."""
        return None

    def prepare_inputs(self, inputs: Any) -> Tensor:
        """New inputs, as a user has them, in the form in which the dataset stores its own; ValueError for others."""
        try:
            found = torch.as_tensor(np.asarray(inputs) if isinstance(inputs, list | tuple) else inputs)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"predict takes a tensor or an array here, not {type(inputs).__name__} ({error})"
            ) from error
        return found.float() if found.is_floating_point() else found

    def transform(self, inputs: Any, keys: Tensor | None) -> Any:
        """Prepare a batch on the device for the network. `keys`, for random draws, are given in training alone."""
        return inputs

    def lengths(self, split: str) -> Tensor | None:
        """The length of each sample, (N), if batches should contain samples of similar length."""
        return None

    def mix(self, inputs: Any, labels: Tensor, key: int) -> tuple[Any, Tensor]:
        """Mix the samples of a transformed training batch; labels may become probabilities (B, num_classes).

        `key` is that of the whole batch. Set `mixes_neighbors` to have the sample before a process's own ones as well.
        """
        return inputs, labels

    def setup(self, stage: str) -> None:
        if stage in ("fit", "validate") and "train" not in self.splits:
            train, val = self.read("train"), self.read_val()
            if val is None:
                rest, chosen = self.hold_out(train.labels, train.rows)
                train, val = train.select(rest), train.select(chosen)
            elif self.folds:
                raise ValueError(f"folds={self.folds}: this data has its own validation split; set data.folds=null")
            if self.fraction < 1:
                train = train.select(
                    split_stratified(train.labels, train.rows, self.fraction, "fraction", self.split_seed)[1]
                )
            if not len(train) or not len(val):
                raise ValueError(
                    f"of {len(train) + len(val)} training samples, val_fraction={self.val_fraction} leaves "
                    f"{len(train)} to train on and {len(val)} to validate on; each needs at least one"
                )
            self.balance(train)  # what it refuses is said before the training
            self.splits |= {"train": train, "val": val}
        if stage == "test" and "test" not in self.splits:
            self.splits["test"] = self.read("test")

    def keep_batches(self, number: float) -> None:
        """Train on a number of batches alone, or on a fraction of them, whose samples are drawn by `split_seed`."""
        train = self.splits["train"]
        batches = ceil(len(train) / self.batch_size)
        kept = number if isinstance(number, int) else max(1, int(number * batches))
        if not 0 < kept <= batches:
            raise ValueError(
                f"trainer.overfit_batches={number}: there are {batches:,} batches of {self.batch_size} samples; give a "
                "number of them, or a fraction below 1"
            )
        generator = torch.Generator().manual_seed(stable_hash(self.split_seed, "overfit"))
        drawn = torch.randperm(len(train), generator=generator)[: kept * self.batch_size]
        self.splits["train"] = train.select(drawn)
        self.balance(self.splits["train"])  # there may be fewer classes than before

    def balance(self, train: Samples) -> Balance | None:
        """What draws the training samples, with `sampling=balanced`; ValueError if they are not of several classes."""
        return Balance(train.labels) if self.sampling == "balanced" else None

    def hold_out(self, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Split the training samples into those to train and to validate on; (N), (N) -> (N - M), (M) int64."""
        if self.folds:
            return split_fold(labels, rows, self.folds, self.fold, "folds", self.split_seed)
        return split_stratified(labels, rows, self.val_fraction, "val", self.split_seed)

    def digests(self) -> dict[str, str]:
        """What tells the samples of each split from others; of inputs that are no tensor, their own `digest()`.

        Of a tensor that was read from files, a second one, of these, follows.
        """
        inputs = {id(samples.inputs): samples.inputs for samples in self.splits.values()}  # most splits share them
        known = {
            key: content_digest(each) if isinstance(each, Tensor) else getattr(each, "digest", str)()
            for key, each in inputs.items()
        }
        found = {}
        for split, samples in self.splits.items():
            of_inputs = [known[id(samples.inputs)], *([samples.source] if samples.source else [])]
            each = [content_digest(digest, samples.all_labels, samples.rows) for digest in of_inputs]
            found[split] = " ".join([f"{len(samples):,} samples", *each])
        return found

    def workers(self, split: str) -> int:
        """How many processes read the batches of a split."""
        return self.num_workers

    def loader(self, split: str, shuffle: bool = False) -> DataLoader:
        """The batches of a split; each rank gets its part of every batch."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        size = self.batch_size if shuffle else self.eval_batch_size
        lengths = self.lengths(split)
        neighbor = shuffle and self.mixes_neighbors
        balance = self.balance(self.splits[split]) if shuffle else None
        count = len(self.splits[split])
        order = BatchOrder(count, size, self.seed, shuffle, rank, world_size, lengths, neighbor, balance)
        if shuffle and (trainer := self.trainer):
            progress = trainer.fit_loop.epoch_loop.batch_progress
            order.position = lambda: (trainer.current_epoch, progress.current.completed)
        return DataLoader(
            self.splits[split],
            batch_size=None,  # the order yields whole batches
            sampler=order,
            num_workers=self.workers(split),
            worker_init_fn=start_worker,
            persistent_workers=self.workers(split) > 0,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
            generator=torch.Generator(),  # else each pass would draw a number from the generator that dropout uses
        )

    def train_dataloader(self) -> DataLoader:
        return self.loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self.loader("val")

    def test_dataloader(self) -> DataLoader:
        return self.loader("test")

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        share = batch[-1] if isinstance(batch, list | tuple) else None
        self.is_copy = isinstance(share, BatchIndices) and share.is_copy
        return batch

    def on_after_batch_transfer(
        self, batch: tuple[Any, Tensor, BatchIndices], dataloader_idx: int
    ) -> tuple[Any, Tensor]:
        inputs, labels, share = batch
        self.share = share
        training = self.trainer is not None and self.trainer.training
        inputs = self.transform(inputs, share.keys if training else None)
        inputs, labels = self.mix(inputs, labels, share.batch_key) if training else (inputs, labels)
        if share.neighbor:
            inputs, labels = inputs[1:], labels[1:]
        return (self.trainer.precision_plugin.convert_input(inputs) if self.trainer else inputs), labels
