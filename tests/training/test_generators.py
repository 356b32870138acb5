"""A loader with a generator of its own: what a trial before the run draws from it is given back."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset, TensorDataset

import trainyard
from trainyard.data.lightning_data import Loaders
from trainyard.training.generators import generators_in, generators_kept

SIZE = 32


class Points(Dataset):
    """Points in the plane that keep in which order they were asked for, and add noise of numpy's."""

    asked: list[int] = []

    def __init__(self) -> None:
        self.noise = np.random.default_rng(3)

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        Points.asked.append(index)
        return torch.full((2,), index / SIZE) + float(self.noise.random()), torch.tensor(index % 2)


def train_loader() -> DataLoader:
    """As the docs of PyTorch recommend it for an order that can be repeated."""
    return DataLoader(Points(), batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(5))


def val_loader() -> DataLoader:
    return DataLoader(TensorDataset(torch.randn(8, 2), torch.arange(8) % 2), batch_size=8)


def order_without_a_trial() -> list[int]:
    Points.asked = []
    list(train_loader())
    return Points.asked


@pytest.mark.parametrize(
    "model",
    [
        ["model=torchvision", "model._target_=test_generators.Net", "~model.name"],
        ["model=lightning", "model._target_=test_generators.Own"],
    ],
    ids=["a network of others", "a LightningModule"],
)
def test_the_first_epoch_has_the_order_of_the_generator(model: list[str], tmp_path: Path) -> None:
    expected = order_without_a_trial()
    Points.asked = []
    loaders = [f"data.{split}={{_target_: test_generators.{split}_loader}}" for split in ("train", "val")]
    facts = ["data.shape=[2]", "data.num_classes=2"] if len(model) == 3 else []
    trainyard.train(["data=lightning", *loaders, *facts, *model, "trainer.max_epochs=1", "hardware=cpu", "test=false",
                     "callbacks.pictures=null", f"run.dir={tmp_path}/run"])  # fmt: skip
    assert len(Points.asked) > SIZE  # the trial, too, has asked for samples
    assert Points.asked[-SIZE:] == expected


class Net(torch.nn.Linear):
    """A network that is tried on two samples."""

    def __init__(self, num_classes: int, shape: list[int]) -> None:
        super().__init__(*shape, num_classes)


class Own(LightningModule):
    """A linear classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(2, 2)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_generators_are_found_wherever_they_are() -> None:
    torchs, pythons, numpys, old = (
        torch.Generator(),
        random.Random(0),
        np.random.default_rng(0),
        np.random.RandomState(),
    )
    data = Subset(TensorDataset(torch.zeros(4)), [0, 1])
    data.transforms = [partial(print, pythons), {"crop": (numpys,)}]  # pyright: ignore
    data.again = data  # pyright: ignore  # a circle
    loader = DataLoader(data, sampler=RandomSampler(data, generator=torchs))
    holder = Loaders(train=loader)
    holder.val_dataloader = lambda: old  # pyright: ignore
    assert {id(each) for each in generators_in(holder)} == {id(each) for each in (torchs, pythons, numpys, old)}


def test_they_draw_the_same_again() -> None:
    generators = [torch.Generator(), random.Random(0), np.random.default_rng(0), np.random.RandomState(0)]
    draws = [
        lambda each: torch.rand(3, generator=each).tolist(), lambda each: each.random(), lambda each: each.random(),
        lambda each: each.rand(),
    ]  # fmt: skip

    def draw() -> list[Any]:
        return [each(generator) for each, generator in zip(draws, generators, strict=True)]

    with generators_kept(generators):
        first = draw()
    assert draw() == first != draw()
    with pytest.raises(ValueError, match="failed"), generators_kept(generators):
        second = draw()
        raise ValueError("failed")
    assert draw() == second
