import pytest
import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.shapes import Shapes
from trainyard.errors import UserError


def shapes(*words: str) -> Shapes:
    return instantiate(
        resolve(compose(["data=shapes", "data.size=400", "data.test_size=100", "run.dir=x", *words])).data, "data"
    )


def test_they_are_the_same_at_every_run_and_test_differs_from_train() -> None:
    one, two = shapes("seed=1"), shapes("seed=2")
    for data in (one, two):
        data.setup("fit")
        data.setup("test")
    assert torch.equal(one.splits["train"].inputs, two.splits["train"].inputs)
    assert not torch.equal(one.splits["train"].inputs[:100], one.splits["test"].inputs)
    assert one.splits["train"].inputs.dtype == torch.uint8


def test_every_class_is_as_frequent() -> None:
    data = shapes()
    data.setup("fit")
    assert data.splits["train"].labels.bincount().tolist() == [36] * 10
    assert data.splits["val"].labels.bincount().tolist() == [4] * 10


def test_every_image_shows_something() -> None:
    data = shapes("data.noise=0")
    data.setup("test")
    assert all(len(image.flatten(1).unique(dim=1)[0]) == 2 for image in data.splits["test"].inputs)


def test_other_sizes_can_be_drawn() -> None:
    data = shapes("data.shape=[3,48,64]")
    data.setup("test")
    assert data.splits["test"].inputs.shape == (100, 3, 48, 64)


@pytest.mark.parametrize("word", ["data.shape=[1,32,32]", "data.size=5"])
def test_what_cannot_be_drawn_is_refused(word: str) -> None:
    with pytest.raises(UserError, match=word.removeprefix("data.").replace("[", r"\[").replace(",", ", ")):
        shapes(word)
