"""Networks of other kinds, asked without HTTP: regressions, data that says nothing about shapes."""

from functools import partial
from typing import Any

import pytest
import torch
from conftest import ROOT
from lightning import LightningDataModule
from torch import Tensor, nn

import trainyard
from trainyard.inference.preprocessing import Words
from trainyard.models.gpt import GPT
from trainyard.optim.schedules import cosine
from trainyard.serving.answers import prediction
from trainyard.serving.limits import Limits, RefusedError
from trainyard.serving.served import Served
from trainyard.tasks.base import Task
from trainyard.tasks.causal_lm import CausalLM
from trainyard.tasks.classification import Classification

PARTS: dict[str, Any] = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": cosine}


class Plain(LightningDataModule):
    """A data module of someone's own, with nothing that Trainyard's have."""


class Regression(Task):
    def metrics(self, stage: str) -> dict[str, Any]:
        return {}


def test_inputs_of_any_shape_are_answered_one_by_one() -> None:
    net = nn.Linear(3, 2)
    served = Served(Classification(2, net=net, **PARTS).eval(), Plain(), "cpu", Limits())
    assert (served.kind, served.labels, served.shape) == ("row of numbers", ["0", "1"], ())
    points = [[1, 2, 3], [1, 2, 3, 4], [0.5, 0, 0]]
    answers = served.predict(served.prepare(points))
    assert isinstance(answers[1], RefusedError) and "do not fit the network" in str(answers[1])
    for place in (0, 2):
        expected = net(torch.tensor(points[place]).float()).softmax(dim=0)
        assert isinstance(answers[place], Tensor) and torch.allclose(answers[place], expected, atol=1e-6)
    with pytest.raises(RefusedError, match="input 2: `values` must be a list of numbers"):
        served.prepare([[1, 2, 3], "1,2,3"])


def test_a_regression_answers_its_value() -> None:
    net = nn.Linear(3, 1)
    served = Served(Regression(net=net, **PARTS).eval(), Plain(), "cpu", Limits())
    (output,) = served.predict(served.prepare([[1, 2, 3]]))
    assert served.labels is None and isinstance(output, Tensor)
    assert prediction(output, None, 5, None) == {"value": pytest.approx(net(torch.tensor([1.0, 2, 3])).tolist())}


def test_a_language_model_is_refused_with_the_way_out() -> None:
    task = CausalLM(net=GPT(20, 8, dim=8, depth=1, heads=2, ff_dim=8), **PARTS)
    said = "GPT is a language model, which has no classes to predict; trainyard generate RUN continues a text"
    with pytest.raises(ValueError, match=said):
        Served(task, Plain(), "cpu", Limits())


def test_of_many_classes_the_most_probable_ones_are_told() -> None:
    found = prediction(torch.tensor([0.1, 0.7, 0.2]), ["a", "b", "c"], 2, Words(4, 1, True))
    assert [each["label"] for each in found["top"]] == ["b", "c"] and found["label"] == "b"
    assert (found["words"], found["unknown_words"], found["truncated"]) == (4, 1, True)


def test_a_row_of_a_table_has_numbers_words_and_gaps(short: list[str]) -> None:
    table = ROOT / "tests" / "durability" / "houses.csv"
    words = ["data=tabular", f"data.path={table}", "task=regression", "model=mlp", "model.widths=[8]"]
    run = trainyard.train([*short, *words])
    served = Served(run.task(), run.data(), "cpu", Limits())
    columns = ["size", "color", "heating", "age"]
    assert served.input_facts() == {"kind": "row of cells", "shape": [4], "columns": columns}
    rows = [[50, "red", None, 10.5], ["50", "red", "", "10.5"]]
    first, second = served.predict(served.prepare(rows))
    assert isinstance(first, Tensor) and isinstance(second, Tensor)
    assert torch.equal(first, second) and torch.equal(first, run.predict(rows)[0])
    for row, said in (
        ([50, "red"], "a row has 2 cells, and there are 4 columns: size, color, heating, age"),
        (["big", "red", None, 1], "size is 'big', and the column has numbers"),
        ([[50], "red", None, 1], "`values` must be a list of numbers, words and null"),
        ("50,red", "`values` must be a list of numbers, words and null"),
    ):
        with pytest.raises(RefusedError, match=said):
            served.prepare([row])
