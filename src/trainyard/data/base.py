"""What every data set shares: three splits, whole batches by index, and one loader for all of them."""

import signal
import sys
from types import TracebackType
from typing import Any

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainyard.data.order import BatchOrder, Picked
from trainyard.data.split import fold_of, stratified


class Samples(Dataset):
    """Inputs and labels, read a whole batch of indices at once; `rows` are the samples that count, all by default.

    `inputs` is a tensor, or anything that an index tensor reads like one (files that are decoded when asked for).
    """

    def __init__(self, inputs: Any, labels: Tensor, rows: Tensor | None = None) -> None:
        self.inputs, self.all_labels = inputs, labels
        self.rows = torch.arange(len(labels)) if rows is None else rows

    @property
    def labels(self) -> Tensor:
        return self.all_labels[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, picked: Picked) -> tuple[Any, Tensor, Tensor]:
        rows = self.rows[picked.index]
        return self.inputs[rows], self.all_labels[rows], picked.keys

    def take(self, index: Tensor) -> "Samples":
        """The samples of `index` alone; nothing is copied."""
        return Samples(self.inputs, self.all_labels, self.rows[index])


def leave_signals_to_main(worker: int) -> None:
    """A terminal or scheduler signals all of a job's processes; the main one decides, and says why it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])):
        signal.signal(number, signal.SIG_IGN)
    sys.excepthook = tell_unless_main_hung_up


def tell_unless_main_hung_up(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What a data worker's threads say of an error: nothing when the main process ended, which says why itself."""
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, trace)


class DataModule(LightningDataModule):
    """Subclasses write `read`, and `transform` if something is to happen to a batch on the device.

    `batch_size` counts the samples of a step over all processes. `val_fraction` of train becomes the validation
    split where the data has none of its own, or, with `folds` (cross-validation), the part of that number among so many
    alike; `fraction` keeps that share of what is left to train on. These choices hang on `split_seed` alone, never on
    `seed`, which orders and augments the data.
    """

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
    ) -> None:
        super().__init__()
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction={fraction} must be above 0 and at most 1")
        if not 0 < val_fraction < 1:
            raise ValueError(f"val_fraction={val_fraction} must lie between 0 and 1")
        if folds is not None and not (folds >= 2 and 0 <= fold < folds):
            raise ValueError(f"folds={folds} must be at least 2, and fold={fold} one of 0 to folds - 1")
        if batch_size < 1 or eval_batch_size < 1:
            raise ValueError(f"batch_size={batch_size} and eval_batch_size={eval_batch_size} must be at least 1")
        self.batch_size, self.eval_batch_size, self.num_workers = batch_size, eval_batch_size, num_workers
        self.seed, self.split_seed, self.val_fraction, self.fraction = seed, split_seed, val_fraction, fraction
        self.folds, self.fold = folds, fold
        self.splits: dict[str, Samples] = {}

    def read(self, split: str) -> Samples:
        """The samples of `train` or `test`."""
        raise NotImplementedError

    def read_val(self) -> Samples | None:
        """The validation samples, or None where they are to be cut out of train."""
        return None

    def transform(self, inputs: Any, keys: Tensor | None) -> Any:
        """Make a batch on the device ready for the network. `keys` are given in training alone, for random draws."""
        return inputs

    def lengths(self, split: str) -> Tensor | None:
        """How long each sample is, (N), where batches are to hold samples of like length."""
        return None

    def mix(self, inputs: Any, labels: Tensor, keys: Tensor) -> tuple[Any, Tensor]:
        """Blend the samples of a transformed training batch with each other; labels become (B, num_classes) shares."""
        return inputs, labels

    def setup(self, stage: str) -> None:
        if stage in ("fit", "validate") and "train" not in self.splits:
            train, val = self.read("train"), self.read_val()
            if val is None:
                rest, chosen = self.hold_out(train.labels, train.rows)
                train, val = train.take(rest), train.take(chosen)
            elif self.folds:
                raise ValueError(f"folds={self.folds}: this data has a validation split of its own, nothing is cut out")
            if self.fraction < 1:
                train = train.take(stratified(train.labels, train.rows, self.fraction, "fraction", self.split_seed)[1])
            self.splits |= {"train": train, "val": val}
        if stage == "test" and "test" not in self.splits:
            self.splits["test"] = self.read("test")

    def hold_out(self, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Which samples of train to train on, and which to validate on; (N), (N) -> (N - M), (M) int64."""
        if self.folds:
            return fold_of(labels, rows, self.folds, self.fold, "folds", self.split_seed)
        return stratified(labels, rows, self.val_fraction, "val", self.split_seed)

    def loader(self, split: str, shuffle: bool = False) -> DataLoader:
        """Batches of a split; each rank gets its share of every batch."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        size = self.batch_size if shuffle else self.eval_batch_size
        lengths = self.lengths(split)
        order = BatchOrder(len(self.splits[split]), size, self.seed, shuffle, rank, world_size, lengths)
        if shuffle and (trainer := self.trainer):
            progress = trainer.fit_loop.epoch_loop.batch_progress
            order.position = lambda: (trainer.current_epoch, progress.current.completed)
        return DataLoader(
            self.splits[split],
            batch_size=None,  # the order yields whole batches
            sampler=order,
            num_workers=self.num_workers,
            worker_init_fn=leave_signals_to_main,
            persistent_workers=self.num_workers > 0,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
            generator=torch.Generator(),  # or each pass would draw a number from the one that dropout uses
        )

    def train_dataloader(self) -> DataLoader:
        return self.loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self.loader("val")

    def test_dataloader(self) -> DataLoader:
        return self.loader("test")

    def on_after_batch_transfer(self, batch: tuple[Any, Tensor, Tensor], dataloader_idx: int) -> tuple[Any, Tensor]:
        inputs, labels, keys = batch
        training = self.trainer is not None and self.trainer.training
        inputs = self.transform(inputs, keys if training else None)
        return self.mix(inputs, labels, keys) if training else (inputs, labels)
