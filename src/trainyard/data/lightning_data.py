"""A LightningDataModule as it is, or plain DataLoaders, as data of a run."""

from collections.abc import Callable
from typing import Any

from lightning import LightningDataModule, LightningModule
from lightning.pytorch.utilities.model_helpers import is_overridden

from trainyard.data.base import DataModule
from trainyard.data.loading.hashing import seeded

NAMES = {"train": "train_dataloader", "val": "val_dataloader", "test": "test_dataloader"}


class Loaders(LightningDataModule):
    """DataLoaders by split; with none of them, those that the LightningModule itself has."""

    def __init__(self, **loaders: Any) -> None:
        super().__init__()
        self.is_empty = True
        for split, loader in loaders.items():
            if loader is not None:
                self._have(split, lambda loader=loader: loader)

    def take_from(self, module: LightningModule) -> None:
        """Where there is no loader, use those of the module; ValueError if it has none to train on."""
        if not self.is_empty:
            return
        if not is_overridden(NAMES["train"], module, LightningModule):
            raise ValueError(
                f"{type(module).__name__} has no train_dataloader: name its data, as +data.module._target_=... (a "
                "LightningDataModule) or +data.train._target_=... (a DataLoader)"
            )
        for split, name in NAMES.items():
            if is_overridden(name, module, LightningModule):
                self._have(split, lambda name=name: getattr(module, name)())

    def _have(self, split: str, loader: Callable[[], Any]) -> None:
        """Have a loader of a split: Lightning looks for the method."""
        setattr(self, NAMES[split], loader)
        self.is_empty = False


def lightning_data(
    module: LightningDataModule | None = None, train: Any = None, val: Any = None, test: Any = None, **facts: Any
) -> LightningDataModule:
    """The data module itself, or one that has the DataLoaders.

    `facts` that are not None (shape, num_classes, classes) are what Trainyard asks its data for; a data module that
    says something else of itself is refused.
    """
    loaders = {"train": train, "val": val, "test": test}
    given = [split for split, loader in loaders.items() if loader is not None]
    if module is not None and not isinstance(module, LightningDataModule):
        raise ValueError(
            f"data.module is {type(module).__name__}, no LightningDataModule; a DataLoader is data.train, data.val, "
            "data.test"
        )
    if module is not None and given:
        raise ValueError(f"data.module has loaders of its own: leave out data.{given[0]}")
    if given and train is None:
        raise ValueError(f"data.{given[0]} without data.train: there is nothing to train on")
    data = Loaders(**loaders) if module is None else module
    for name, value in facts.items():
        there = getattr(data, name, None)
        if value is not None and there is not None and there != value:
            raise ValueError(f"data.{name}={value}, and {type(data).__name__}.{name} is {there}; leave the first out")
        if value is not None and there is None:
            setattr(data, name, value)
    return data


def has_loader(data: LightningDataModule, split: str) -> bool:
    """Whether there is a loader of a split."""
    return is_overridden(NAMES[split], data, LightningDataModule)


def seed_setup(data: LightningDataModule) -> LightningDataModule:
    """The data module, which draws the same whenever it is set up; of Trainyard's own kind, none draws anything.

    Lightning sets one up for the training and again for the test, and `evaluate` once more: each would have another
    random split, and the test set samples of the training set.
    """
    if isinstance(data, DataModule):
        return data
    setup = data.setup

    def seeded_setup(stage: str) -> None:
        with seeded(0):
            setup(stage)

    data.setup = seeded_setup
    return data
