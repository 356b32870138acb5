import operator

import pytest

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.xor import GATES, XOR
from trainyard.errors import UserError

TRUTH = {
    "and": operator.and_, "or": operator.or_, "xor": operator.xor,
    "nand": lambda a, b: 1 - (a & b), "xnor": lambda a, b: 1 - (a ^ b),
}  # fmt: skip


def gate(*words: str) -> XOR:
    data = instantiate(resolve(compose(["data=xor", "run.dir=x", *words])).data, "data")
    data.setup("fit")
    data.setup("test")
    return data


@pytest.mark.parametrize("name", GATES)
def test_the_four_points_are_every_split(name: str) -> None:
    data = gate(f"data.gate={name}")
    for split in ("train", "val", "test"):
        points, labels = data.splits[split].inputs, data.splits[split].labels
        assert labels.tolist() == [TRUTH[name](int(a), int(b)) for a, b in points]
        assert sorted(map(tuple, points.tolist())) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_points_with_noise_are_drawn_apart() -> None:
    data = gate("data.size=100", "data.noise=0.1")
    assert all(len(data.splits[split]) == 100 for split in ("train", "val", "test"))
    assert (data.splits["train"].inputs - data.splits["test"].inputs).std() > 0.1
    assert (data.splits["train"].inputs.round() - data.splits["test"].inputs.round()).abs().max() == 0


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.gate=xro", "gate=xro is unknown; choose one of and, or, nand, xor, xnor"),
        ("data.shape=[3]", r"a gate has shape \[2\] and 2 classes, not shape=\[3\]"),
        ("data.noise=0.1", "noise=0.1 needs data.size"),
    ],
)
def test_wrong_values_are_refused(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        gate(word)
