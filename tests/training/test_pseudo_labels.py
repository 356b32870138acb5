"""Pseudo-labels: whose they are, which are kept, what they leave alone, and what is refused."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.data import imdb
from trainyard.errors import UserError

NET = ["data=imdb", "data.max_length=16", "model=nb_bow", "model.rows=4096", "optimizer.lr=0.5", "test=true"]


@pytest.fixture
def root(small_imdb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in with unlabelled reviews of which the even ones are good, the odd ones bad, the last two neither."""
    shutil.copytree(small_imdb / imdb.FOLDER, tmp_path / imdb.FOLDER)
    files = imdb.files_of(tmp_path / imdb.UNSUP, imdb.UNLABELLED)
    for index, file in enumerate(files[:-2]):
        Path(file).write_text(f"This film is {'bad' if index % 2 else 'good'}!")
    monkeypatch.setenv("TRAINYARD_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def words(short: list[str], tmp_path: Path) -> list[str]:
    return [*short, *NET, "trainer.limit_train_batches=null", "callbacks.pictures=null", f"run.root={tmp_path}/runs"]


def test_confident_predictions_are_training_samples(
    root: Path, words: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if a run that is resumed, or evaluated, is another than the one that ended, or takes other labels."""
    teacher = trainyard.train(words)
    asked = [*words, f"data.pseudo_labels={teacher.path}", f"run.dir={tmp_path}/student"]
    caplog.set_level(logging.INFO)
    student = trainyard.train([*asked, "callbacks.resume.every_n_steps=2"])
    assert "pseudo-labels: of 20 reviews 9 neg, 9 pos, by " in caplog.text
    assert student.summary["test"]["test/accuracy"] == 1.0
    assert student.evaluate() == pytest.approx(student.summary["test"])
    kept = torch.from_numpy(np.load(student.path / "pseudo_labels.npy"))
    assert kept.tolist() == [index % 2 == 0 for index in range(18)] + [-1, -1]
    (student.path / "summary.json").unlink()
    (student.path / "checkpoints" / "last.ckpt").unlink()
    shutil.rmtree(teacher.path)  # which is not needed again
    assert trainyard.train([f"resume={student.path}"]).summary["test"] == student.summary["test"]


def test_folds_are_those_without_the_unlabelled(root: Path) -> None:
    """Fails if the tokenizer learns from what is validated on."""
    words = ["data=imdb", "data.max_length=16", "data.folds=3", "data.fold=1", "run.dir=x"]
    found = []
    for more in (["data.strip_html=true"], ["data.pseudo_labels=RUN"]):
        data = instantiate(compose([*words, *more]).cfg.data, "")
        data.prepare_data()
        data.setup("fit")
        found.append((data.splits["val"].rows.tolist(), data.saved_tokenizer().get_vocab()))
    assert found[0] == found[1]


def test_each_label_is_its_own_review_s(root: Path) -> None:
    """Of made-up probabilities: the labels stand beside their texts, and only in the training split."""
    data = instantiate(compose(["data=imdb", "data.max_length=16", "data.pseudo_labels=RUN", "run.dir=x"]).cfg.data, "")
    data.prepare_data()
    data.setup("fit")
    before = {split: data.splits[split].rows for split in ("train", "val")}
    sure = torch.arange(20) % 3 > 0
    labels = (torch.arange(20) % 2 == 0).long()
    chance = torch.where(sure, 0.9, 0.7)
    probabilities = torch.stack([chance, 1 - chance], dim=1)
    probabilities[labels == 1] = probabilities[labels == 1].flip(1)
    texts = data.unlabelled_texts()
    chosen = data.choose_pseudo_labels(texts, probabilities)
    assert chosen.equal(labels.where(sure, torch.tensor(-1)))
    with pytest.raises(ValueError, match="are not those with tokens in .*; delete that folder"):
        data.choose_pseudo_labels(texts[1:] + texts[:1], probabilities)
    data.add_pseudo_labels(chosen)
    train, val = data.splits["train"], data.splits["val"]
    added = train.rows[len(before["train"]) :]
    assert train.rows[: len(before["train"])].equal(before["train"]) and val.rows.equal(before["val"])
    for row, index in zip(added, sure.nonzero().flatten().tolist(), strict=True):
        tokens = train.inputs[row[None]][0]
        assert tokens[tokens > 0].tolist() == data.encode([texts[index]])[0].tolist()
        assert train.all_labels[row] == labels[index]
    assert min(val.labels.tolist()) == 0 and set(train.labels.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["data.pseudo_labels=latest"], "latest could be another run each time; name the directory of a finished run"),
        (["data.pseudo_labels=nowhere"], "data.pseudo_labels=nowhere has no config.resolved.yaml; name the directory"),
        (["data.split_seed=1"], "was trained with data.split_seed=0, and here it is 1; it must have learned from the"),
        (["data.fraction=0.5"], r"data.fraction=1.0, and here it is 0.5"),
        (["data.pseudo_confidence=0.99999"], "predicts no class with a probability of 0.99999; choose a smaller"),
        (["data.pseudo_confidence=1"], r"pseudo_confidence=1 must be in \[0, 1\)"),
        (["data=imdb_lm", "+data.pseudo_labels=RUN", "model=gpt"], "a language model learns from no labels; leave it"),
    ],
)
def test_what_cannot_be_is_said(more: list[str], message: str, root: Path, words: list[str]) -> None:
    names_run = any("pseudo_labels" in word for word in more)
    named = [] if names_run else [f"data.pseudo_labels={trainyard.train(words).path}"]
    others = [word for word in words if word not in NET] if "data=imdb_lm" in more else words
    with pytest.raises(UserError, match=message):
        trainyard.train([*others, *named, *more])


@pytest.mark.parametrize("tune", [[], ["tune=lr"]])
def test_the_run_is_looked_for_before_the_data(
    tune: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINYARD_DATA", str(tmp_path / "no data"))
    with pytest.raises(UserError, match="nowhere has no config"):
        trainyard.train([*words, *tune, "data.pseudo_labels=nowhere"])
