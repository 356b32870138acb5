"""What a callback's state may be: it comes back equal, or is refused as it is written."""

import random
from collections import OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback

import trainyard
from trainyard.errors import UserError
from trainyard.trust.checkpoint_files import load_checkpoint
from trainyard.trust.plain_state import from_plain, to_plain

STATES: dict[str, Any] = {
    "plain": {"a": [1, 2.5, None, "x", (True, b"y")], 3: {}},
    "numpy scalar": {"x": np.float64(0.1), "n": np.int64(3), "b": np.bool_(True)},
    "array": np.arange(6, dtype=np.float32).reshape(2, 3),
    "array of texts": np.array(["a", "bc"]),
    "empty array": np.zeros((0, 2)),
    "path": Path("/here/there"),
    "deque": deque([1, np.float32(2)], maxlen=5),
    "defaultdict": defaultdict(list, {"a": [1], "b": [np.int8(2)]}),
    "numpy's old generator": np.random.RandomState(3).get_state(),
    "numpy's generator": np.random.default_rng(3).bit_generator.state,
    "Python's generator": random.Random(3).getstate(),
    "ordered": OrderedDict(a=1),
    "set": {1, 2},
    "ordered with a scalar": OrderedDict(a=np.float32(1), b=[2]),
    "our own tag": {"__plain__": "path", "x": Path("y")},
    "tuples as keys": {(1, "a"): 2},
    "tensors": {"a": torch.arange(3), "size": torch.Size([2])},
}


def assert_equal(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, np.ndarray | torch.Tensor):
        assert one.dtype == other.dtype and one.shape == other.shape and (one == other).all()
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple | deque):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_a_state_comes_back_equal_through_a_file(state: Any, tmp_path: Path) -> None:
    torch.save({"callbacks": to_plain(state, "callbacks")}, tmp_path / "x.ckpt")
    found = load_checkpoint(tmp_path / "x.ckpt")["callbacks"]
    assert_equal(found, state)
    if isinstance(state, deque | defaultdict):
        assert getattr(found, "maxlen", None) == getattr(state, "maxlen", None)
        assert getattr(found, "default_factory", None) is getattr(state, "default_factory", None)


class Strange:
    pass


@pytest.mark.parametrize("key", [Path("a.png"), Strange(), (np.int64(1), 2)])
def test_a_key_that_could_not_be_read_is_named(key: Any) -> None:
    with pytest.raises(UserError, match=r"callbacks\['Mine'\] has the key .* could be written but never be read"):
        to_plain({"Mine": {key: 1}}, "callbacks")


@pytest.mark.parametrize("value", [Strange(), lambda: 0, defaultdict(lambda: 1), np.array([Strange()]), Strange])
def test_what_could_not_be_read_is_named(value: Any) -> None:
    with pytest.raises(
        UserError, match=r"callbacks\['Mine'\]\['x'\] is a .*, which could be written but never be read"
    ):
        to_plain({"Mine": {"x": value}}, "callbacks")


@pytest.mark.parametrize("spoiled", [{"dtype": "O"}, {"shape": [10**9]}, {"dtype": "nonsense"}])
def test_a_tagged_mapping_that_nobody_wrote_is_refused(spoiled: dict[str, Any], tmp_path: Path) -> None:
    made = {**to_plain(np.zeros(3), ""), **spoiled}
    with pytest.raises((ValueError, TypeError)):
        from_plain(made)
    torch.save({"x": made}, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match="x.ckpt contains more than plain data"):
        load_checkpoint(tmp_path / "x.ckpt")


class Counting(Callback):
    """A callback as users write them: a history, a numpy mean, a generator."""

    def __init__(self, strange: bool = False) -> None:
        self.history: deque[Any] = deque(maxlen=3)
        self.mean, self.generator, self.strange = np.float64(0), np.random.default_rng(0), strange

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.history.append(np.float32(outputs["loss"].item()))
        self.mean = np.mean(self.history) + self.generator.random()

    def state_dict(self) -> dict[str, Any]:
        strange = {"net": Strange()} if self.strange else {}
        return {"history": self.history, "mean": self.mean, "state": self.generator.bit_generator.state, **strange}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history, self.mean = state_dict["history"], state_dict["mean"]
        self.generator.bit_generator.state = state_dict["state"]


WORDS = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "callbacks.resume.every_n_steps=2"]


def test_a_callback_with_numpy_state_is_saved_tested_and_resumed(short: list[str], tmp_path: Path) -> None:
    mine = "+callbacks.mine={_target_: test_plain_state.Counting}"
    run = trainyard.train([*short, *WORDS, mine, f"run.dir={tmp_path}/here"])
    state = load_checkpoint(run.path / "checkpoints" / "last.ckpt")["callbacks"]["Counting"]
    assert (
        type(state["history"]) is deque and type(state["mean"]) is np.float32 and "test/accuracy" in run.summary["test"]
    )
    (run.path / "summary.json").unlink()
    assert trainyard.train([f"resume={run.path}"]).summary["test"] == run.summary["test"]


def test_one_with_a_state_that_cannot_be_read_is_refused_at_the_first_resume_point(
    short: list[str], tmp_path: Path
) -> None:
    mine = "+callbacks.mine={_target_: test_plain_state.Counting, strange: true}"
    with pytest.raises(UserError, match=r"callbacks\['Counting[^']*'\]\['net'\] is a test_plain_state.Strange"):
        trainyard.train([*short, *WORDS, mine, f"run.dir={tmp_path}/here"])
    assert not list((tmp_path / "here" / "checkpoints").glob("*.ckpt"))
