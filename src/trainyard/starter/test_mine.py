"""The network and the data are what they should be, and learn:  python -m pytest"""

from pathlib import Path

import torch
from my_data import MyData
from my_network import MyNetwork

import trainyard


def test_the_network_returns_a_logit_for_each_class() -> None:
    """Of a batch of 4 samples."""
    assert MyNetwork(features=2, num_classes=3, width=8)(torch.zeros(4, 2)).shape == (4, 3)


def test_the_splits_differ_and_have_every_class() -> None:
    """A test split that contains training samples would promise too much."""
    data = MyData(shape=[2], num_classes=3, size=30, noise=0.2, batch_size=8)
    train, test = data.read("train"), data.read("test")
    assert set(train.labels.tolist()) == set(test.labels.tolist()) == {0, 1, 2}
    assert not torch.equal(train.inputs, test.inputs)


def test_it_learns(tmp_path: Path) -> None:
    """The experiment, as `python train.py experiment=mine` runs it; call pytest in this folder."""
    run = trainyard.train(["experiment=mine", f"run.root={tmp_path}"])
    assert run.summary["test"]["test/accuracy"] > 0.9
