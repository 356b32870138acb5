"""What a network learns from the training split before the first step: of these samples alone, kept with the run."""

from pathlib import Path

import pytest
import torch
from lightning import LightningDataModule
from torch import Tensor

import trainyard
from trainyard.data.base import Samples
from trainyard.data.reviews import Reviews
from trainyard.models.naive_bayes_bag import NaiveBayesBag
from trainyard.tasks.training_split import teach

TEXT = {"vocab_size": 100, "max_length": 20, "num_classes": 2, "classes": ["neg", "pos"], "batch_size": 32}


@pytest.fixture
def reviews(tmp_path: Path) -> Reviews:
    data = Reviews(size=300, test_size=40, cache=str(tmp_path), **TEXT)  # pyright: ignore
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    return data


def learned(*splits: Samples) -> NaiveBayesBag:
    """What a network learns of these samples, a text at a time."""
    net = NaiveBayesBag(100, 2, rows=5000)
    net.learn((each.inputs[row[None]], each.all_labels[row[None]]) for each in splits for row in each.rows)
    return net


def test_ratios_are_of_the_training_texts_alone(reviews: Reviews) -> None:
    net = NaiveBayesBag(100, 2, rows=5000)
    teach(net, reviews)
    train, val, test = (reviews.splits[split] for split in ("train", "val", "test"))
    assert torch.equal(net.ratios, learned(train).ratios) and net.ratios.any()
    assert not torch.equal(net.ratios, learned(train, val).ratios)
    assert not torch.equal(net.ratios, learned(train, test).ratios)


def test_a_network_that_has_learned_keeps_what_it_knows(reviews: Reviews) -> None:
    """Its weights are of another run, for whose ratios they were trained."""
    net = NaiveBayesBag(100, 2, rows=5000)
    net.load_state_dict(learned(reviews.splits["val"]).state_dict())
    teach(net, reviews)
    assert torch.equal(net.ratios, learned(reviews.splits["val"]).ratios)


def test_a_run_keeps_the_ratios(short: list[str], tmp_path: Path) -> None:
    words = ["data=reviews", "data.size=300", "data.test_size=40", f"data.cache={tmp_path}"]
    run = trainyard.train([*short, *words, "model=nb_bow", "model.rows=5000", "logger=none"])
    data, net = run.data(), run.task().net
    data.setup("fit")
    fresh = NaiveBayesBag(100, 2, rows=5000)  # the size of the vocabulary plays no part in hashes
    teach(fresh, data)
    found: dict[str, Tensor] = dict(net.named_buffers())
    assert found.keys() == {"owners", "ratios", "has_learned"}
    assert all(torch.equal(found[name], value) for name, value in fresh.named_buffers())


def test_data_that_does_not_tell_its_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="NaiveBayesBag learns from the training split before .* LightningDataModule "):
        teach(NaiveBayesBag(100, 2, rows=5000), LightningDataModule())
