"""trainyard predict of a masked language model: the words that it expects."""

import json
from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.cli.main import run_command
from trainyard.data.loading.tokens import MASK
from trainyard.inference.masked import vocabulary

BERT = ["model=bert", "model.dim=16", "model.depth=1", "data=imdb_mlm", "data.max_length=16", "test=false"]


@pytest.fixture
def bert(short: list[str], small_imdb: Path) -> trainyard.Run:
    return trainyard.train([*short, *BERT, "callbacks.pictures=null"])


def test_each_mask_has_a_prediction(bert: trainyard.Run) -> None:
    refused: list[str] = []
    texts = ["the [MASK] was [MASK] .", "no mask at all", "a [MASK]"]
    found = list(bert.predict_each(bert.inputs(texts, refuse=refused.append)))
    names = ["mask 1 of 2: the [MASK] was [MASK] .", "mask 2 of 2: the [MASK] was [MASK] .", "a [MASK]"]
    assert [each.input.name for each in found] == names
    assert refused == ["no mask at all: there is no [MASK] in it to be predicted"]
    task, data = bert.task(), bert.data()
    tokens = data.prepare_inputs("a [MASK]")
    assert tokens[0, -1] == MASK
    whole = task.postprocess(task(tokens))[0, -1]  # what the network says about every token of the text alone
    torch.testing.assert_close(found[-1].output, whole.detach(), atol=1e-6, rtol=0)


def test_a_mask_that_is_cut_off_is_told(bert: trainyard.Run) -> None:
    refused: list[str] = []
    assert not list(bert.predict_each(bert.inputs(["[MASK]" + " film" * 20], refuse=refused.append)))
    assert "there is no [MASK] within the 16 tokens that the network reads to be predicted" in refused[0]


def test_the_command_names_words(bert: trainyard.Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = vocabulary(bert.data())
    assert len(names) == bert.cfg.data.vocab_size
    capsys.readouterr()
    run_command(["predict", str(bert.path), "the [MASK] was good", "--format", "json", "--top", "3"])
    (row,) = json.loads(capsys.readouterr().out)
    assert len(row["top"]) == 3 and all(each["label"] in names for each in row["top"])
    run_command(["predict", str(bert.path), "the [MASK] was good"])
    assert capsys.readouterr().out.split()[:2] == ["input", "label"]
