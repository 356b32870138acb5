"""Composing: one's own conf folder, facts, and what a typo is answered."""

from pathlib import Path

import pytest

from trainyard.compose import compose, resolve
from trainyard.errors import UserError
from trainyard.typos import check_types


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["model=resnet19"], r"model=resnet19 is not a choice. Did you mean resnet18.*\? Choose one of .*mlp"),
        (["modle=mlp"], r"modle is not a key .*Did you mean .*model"),
        (["optimizer.lrr=1"], r"optimizer.lrr is not a key .*Did you mean optimizer.lr\?"),
        (["lr=0.1"], r"lr is not a key .*Did you mean optimizer.lr\?"),
        (["trainer.max_epoch=1"], r"Did you mean trainer.max_epochs"),
        (["model=mlp", "model.zzzzz=3"], r"model.zzzzz is not a key .* model has .*widths"),
        (["modle=mlp", "optimizer.lrr=1"], r"is not a key of the config. Did you mean"),
        (["model.stages=[[32,,]"], r"model.stages=\[\[32,,\] cannot be read: .*quote"),
        (["experiment=xor_mpl"], r"Did you mean xor_mlp"),
        (["model=mlp,cnn"], r"Ambiguous value.*--multirun"),
    ],
)
def test_typos_are_answered(words: list[str], answer: str) -> None:
    with pytest.raises(UserError, match=f"(?s){answer}"):
        compose(words)


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("optimizer.lr=abc", "optimizer.lr=abc is not a number like its default 0.001"),
        ("seed=abc", "seed=abc is not a number like its default 0"),
        ("model.widths=5", r"model.widths=5 is not a list like its default \[512, 256\]"),
        ("trainer.max_epochs=ten", "trainer.max_epochs=ten is not a number like its default 10"),
    ],
)
def test_a_word_for_a_number_is_refused_by_its_key(word: str, answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        check_types(compose(["model=mlp", word]), compose)


def test_values_of_their_own_kind_pass() -> None:
    check_types(compose(["model=mlp", "model.widths=[3]", "optimizer.lr=1", "trainer.max_time=00:01:00:00"]), compose)


def test_a_missing_value_is_asked_for() -> None:
    with pytest.raises(UserError, match="data.root has no value yet: give it as data.root="):
        resolve(compose(["data=image_folder"]))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/train is not a folder; data.root should hold"):
        resolve(compose(["data=image_folder", f"data.root={tmp_path}/nowhere"]))
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match=r"train holds no folder: it should have one of images for each class"):
        resolve(compose(["data=image_folder", f"data.root={tmp_path}"]))


def test_classes_are_counted_and_subfolders_listed(image_root: Path) -> None:
    assert resolve(compose(["data=shapes", "data.classes=[disc,star]"])).model.num_classes == 2
    data = resolve(compose(["data=image_folder", f"data.root={image_root}"])).data
    assert (data.classes, data.num_classes) == (["dark", "light"], 2)


def test_a_fact_that_the_data_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "reader.yaml").write_text("_target_: torch.nn.Linear\nsize: ${data.vocab_size}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"model=reader does not fit data=xor: it needs data.vocab_size.* has only shape"
    ):
        resolve(compose(["model=reader", "data=xor"]))


def test_own_conf_wins_over_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "optimizer" / "adam.yaml").write_text("_target_: torch.optim.Adam\n_partial_: true\nlr: 7.0\n")
    monkeypatch.chdir(tmp_path)
    cfg = compose(["optimizer=adam", "model=mlp"]).cfg
    assert cfg.optimizer.lr == 7.0
    assert cfg.model._target_ == "trainyard.models.mlp.MLP"


def test_the_perceptron_brings_its_rule_and_the_command_line_still_wins() -> None:
    assert compose(["model=perceptron", "data=xor"]).choices["task"] == "perceptron"
    assert compose(["model=perceptron", "data=xor", "task=classification"]).choices["task"] == "classification"
