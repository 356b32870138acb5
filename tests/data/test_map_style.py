import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.loading.dataset_facts import Items, facts
from trainyard.data.loading.items import Names
from trainyard.data.map_style import MapStyle
from trainyard.errors import UserError

FAKE = ["data=dataset", "data.train._target_=torchvision.datasets.FakeData", "+data.train.size=60",
        "+data.train.num_classes=3", "+data.train.image_size=[3,8,8]"]  # fmt: skip


class Noisy(Dataset):
    """Samples that are drawn from three generators; `own` is one that nothing outside can seed."""

    def __init__(self, size: int = 40, own: bool = False, shape: tuple[int, ...] = (2,)) -> None:
        self.size, self.shape = size, shape
        self.own = np.random.default_rng(0) if own else None
        self.reads = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.reads += 1
        noise = torch.rand(self.shape) + float(np.random.rand()) + random.random()
        return noise + (self.own.random() if self.own else 0), index % 4


class Named(Dataset):
    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixels": np.float64([index, 1.0]), "size": np.float64(index / 2), "note": "none"}


class Stated(Noisy):
    """States its labels, and counts how often samples are read."""

    def __init__(self, size: int = 40, shift: int = 0) -> None:
        super().__init__(size)
        self.targets = [(index + shift) % 4 for index in range(size)]


class Classes(Stated):
    """Names its classes."""

    def __init__(self, classes: str) -> None:
        super().__init__()
        self.classes = list(classes)


def module(train: Any, **options: Any) -> MapStyle:
    known = {"shape": [2], "classes": ["a", "b", "c", "d"], "num_classes": 4, "batch_size": 8, **options}
    data = MapStyle(train, **known)
    data.prepare_data()
    return data


def configured(*words: str) -> MapStyle:
    return instantiate(resolve(compose([*FAKE, "run.dir=x", *words])).data, "data")


def epoch(data: MapStyle, number: int = 0) -> dict[int, torch.Tensor]:
    """The training samples of an epoch, by their number."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return {int(i): x for inputs, _, share in loader for i, x in zip(share.index, inputs, strict=True)}


def test_a_sample_is_the_same_whatever_loads_it_and_another_in_each_epoch() -> None:
    reference = module(Noisy())
    reference.setup("fit")
    expected = epoch(reference)
    for options in ({"num_workers": 2}, {"batch_size": 3}, {"num_workers": 1, "batch_size": 5}):
        data = module(Noisy(), **options)
        data.setup("fit")
        assert {i: x.tolist() for i, x in epoch(data).items()} == {i: x.tolist() for i, x in expected.items()}
    other = epoch(reference, 1)
    assert all(not torch.equal(other[i], expected[i]) for i in expected)
    draws = torch.stack([expected[i] for i in sorted(expected)])
    assert len(draws.unique(dim=0)) == len(draws)  # samples of a batch draw apart


def test_reading_leaves_the_generators_of_the_process_alone() -> None:
    data = module(Noisy())
    data.setup("fit")
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    next(iter(data.train_dataloader()))
    assert torch.equal(torch.rand(1), expected)


def test_the_shape_and_the_classes_are_the_datasets_own() -> None:
    node = resolve(compose([*FAKE, "run.dir=x"]))
    assert (node.data.shape, node.data.num_classes, node.data.classes) == ([3, 8, 8], 3, ["0", "1", "2"])
    assert node.model.shape == [3, 8, 8] and node.task.num_classes == 3
    assert facts(Stated(), Names(), "data.train")["num_classes"] == 4
    found = facts(Named(), Names("pixels", "size"), "data.train")
    assert found == {"shape": [2], "classes": None, "num_classes": None, "num_outputs": 1}


def test_images_are_bytes_that_the_network_gets_from_0_to_1() -> None:
    data = configured("data.num_workers=0")
    data.prepare_data()
    data.setup("fit")
    inputs, labels, _ = batch = next(iter(data.train_dataloader()))
    assert inputs.dtype == torch.uint8 and inputs.shape[1:] == (3, 8, 8) and labels.dtype == torch.int64
    prepared, _ = data.on_after_batch_transfer(batch, 0)
    assert torch.equal(prepared, inputs.float() / 255)
    image = Image.fromarray(np.full((8, 8, 3), 7, dtype=np.uint8))
    assert torch.equal(data.prepare_inputs([image]), torch.full((1, 3, 8, 8), 7, dtype=torch.uint8))


def test_validation_and_test_are_apart_and_read_where_they_are_named() -> None:
    one, other = (
        TensorDataset(torch.zeros(40, 2), torch.arange(40) % 4),
        TensorDataset(torch.ones(40, 2), torch.arange(40) % 4),
    )
    data = module(one, held_out=other)
    data.setup("fit")
    data.setup("test")
    rows = [set(data.splits[name].rows.tolist()) for name in ("train", "val", "test")]
    assert [len(each) for each in rows] == [28, 4, 8] and len(set.union(*rows)) == 40
    means = {name: data.splits[name].inputs[torch.arange(3)].mean().item() for name in data.splits}
    assert means == {"train": 0.0, "val": 1.0, "test": 1.0}
    given = module(one, val=other, test=other)
    given.setup("fit")
    given.setup("test")
    assert [len(given.splits[name]) for name in ("train", "val", "test")] == [40, 40, 40]


def test_labels_that_are_stated_are_not_read_unless_they_differ() -> None:
    stated, wrong = Stated(400), Stated(400, shift=1)
    assert Items(stated, Names(), "data.train").targets.tolist() == stated.targets and stated.reads < 20
    assert Items(wrong, Names(), "data.train").targets.tolist() == stated.targets and wrong.reads > 400


def test_what_is_not_promised_is_said(caplog: pytest.LogCaptureFixture) -> None:
    module(Noisy(own=True)).setup("fit")
    assert "draws from a generator of its own" in caplog.text
    caplog.clear()
    module(Noisy()).setup("fit")
    assert "data.held_out=... is the same dataset without random transforms" in caplog.text
    caplog.clear()
    module(Noisy(), val=Noisy(), test=Noisy()).setup("fit")
    module(TensorDataset(torch.zeros(40, 2), torch.arange(40) % 4)).setup("fit")
    assert not caplog.text


def test_other_content_has_another_digest() -> None:
    found = []
    for value in (0.0, 0.0, 1.0):
        data = module(TensorDataset(torch.full((40, 2), value), torch.arange(40) % 4))
        data.setup("fit")
        found.append(data.digests())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        (iter([1]), {}, r"data.train is list_iterator, which has no items by number \(__getitem__\): it must be a map"),
        (TensorDataset(torch.zeros(0, 2)), {}, "data.train is TensorDataset, which is empty"),
        ([3, 4], {}, r"item 0 of data.train is int 3; it must be a tuple \(input, target\) or a mapping"),
        ([(1, 2)], {"target": 2}, "item 0 of data.train is a tuple of 2, and data.target=2"),
        (Named(), {}, "item 0 of data.train is a dict without 0; set data.input to one of its keys: pixels, size"),
        (Named(), {"input": "note", "target": "size"}, "the input of item 0 of data.train is str 'none'; it must be"),
        (Noisy(shape=(3,)), {}, r"data.train has samples of shape \[3\], and data.shape=\[2\]"),
        (Noisy(), {"num_classes": 3, "classes": None}, "has labels from 0 to 3, and with data.num_classes=3 they are"),
        (Noisy(), {"num_classes": 3}, "num_classes=3, but there are 4 classes"),
        (
            Noisy(),
            {"held_out": TensorDataset(torch.rand(40, 2), torch.arange(1, 41) % 4)},
            "data.held_out has other labels than data.train; it must be the same",
        ),
        (Noisy(), {"held_out": Noisy(30)}, "data.held_out has 30 samples, and data.train has 40"),
        ([(torch.zeros(2), 0), (torch.zeros(3), 0)], {}, r"samples of the shapes \[2\] and \[3\]; a transform of its"),
        (
            [(torch.zeros(1, 8, 8), 0), (torch.zeros(3, 8, 8), 0)],
            {"shape": [1, 8, 8]},
            r"\[1, 8, 8\] and \[3, 8, 8\]; a transform of its own, such as torchvision.transforms.v2.RGB,",
        ),
        (
            Classes("abcd"),
            {"test": Classes("abdc")},
            "data.test has the classes a, b, d, c, and data.train a, b, c, d; both must have the same ones in the",
        ),
        (Classes("abcd"), {"held_out": Classes("dcba")}, "data.held_out has the classes d, c, b, a, and data.train"),
    ],
)
def test_what_cannot_be_used_is_refused(train: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        module(train, **options)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["data.train._target_=torchvision.datasets.FakeDat"],
            "torchvision.datasets has no FakeDat. Did you mean FakeD",
        ),
        (["data.train._target_=nowhere.Data"], "there is no package nowhere"),
        (["data.train.num_clases=3"], "data.train.num_clases is not a key"),
        (["+data.train.colour=3"], "data.train: FakeData takes no argument colour"),
        (["+data.train.random_offset=${data.num_classes}"], "data.train refers to what is read from it"),
        (["data.train=null"], "data.train._target_ is required"),
        (["data.target=2"], "item 0 of data.train is a tuple of 2, and data.target=2"),
        (["+data.train.transform={_target_: torchvision.transforms.v2.CenterCrop, size: [4, -1]}"], "cannot be read"),
    ],
)
def test_a_config_that_names_no_dataset_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        configured(*words)


def test_a_run_trains_and_is_opened_again(short: list[str], tmp_path: Path) -> None:
    words = ["model=mlp", "model.widths=[8]", "data.num_workers=1", "callbacks.pictures=null"]
    flip = "+data.train.transform={_target_: torchvision.transforms.v2.RandomHorizontalFlip}"
    run = trainyard.train([*short, *FAKE, *words, flip])
    assert run.summary["test"]["test/loss"] > 0
    image = Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8))
    image.save(tmp_path / "black.png")
    assert torch.equal(run.predict([image]), run.predict(tmp_path / "black.png"))
    with pytest.raises(UserError, match=r"the images are \[3, 9, 8\] after their transform, not \[3, 8, 8\]"):
        run.predict([Image.new("RGB", (8, 9))])


def test_an_array_of_one_whole_number_is_a_class_and_for_a_regression_a_number() -> None:
    rows = [(np.full((2, 2), i, np.uint8), np.array([i % 3])) for i in range(30)]
    assert facts(rows, Names(), "data.train")["classes"] == ["0", "1", "2"]
    assert facts(rows, Names(), "data.train", has_classes=False)["num_outputs"] == 1
    data = module(rows, shape=[2, 2], num_classes=3, classes=None)
    data.setup("fit")
    labels = next(iter(data.train_dataloader()))[1]
    assert labels.dtype == torch.int64 and labels.ndim == 1


def test_a_regression_has_as_many_outputs_as_targets(short: list[str]) -> None:
    words = ["data=dataset", "data.train._target_=test_map_style.Named", "data.input=pixels", "data.target=size"]
    run = trainyard.train([*short, *words, "model=mlp", "model.widths=[8]", "task=regression"])
    assert run.summary["test"]["test/loss"] > 0
