"""Composing: the user's own conf folder, facts, and how mistyped overrides are explained."""

import subprocess
import sys
from pathlib import Path

import hydra
import pytest

import trainyard
from trainyard.config.compose import compose
from trainyard.config.override_types import check_override_types
from trainyard.config.resolve import resolve
from trainyard.config_keys import RENAMED
from trainyard.errors import UserError


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["model=resnet19"], r"model=resnet19 is not an option. Did you mean resnet18.*\? Choose one of .*mlp"),
        (["modle=mlp"], r"modle is not a key .*Did you mean .*model"),
        (["optimizer.lrr=1"], r"optimizer.lrr is not a key .*Did you mean optimizer.lr\?"),
        (["+model.dim=3", "model=bow"], r"model.dim is a key of the config already, .* write model.dim=... without it"),
        (["+model=mlp"], r"model is a key of the config already, .* write model=... without it"),
        (["~optimizer.lr=5"], r"The value of 'optimizer.lr' is [\d.]+ and not 5"),
        (["x=1"], r"x is not a key of the config"),
        (["lr=0.1"], r"lr is not a key .*Did you mean optimizer.lr\?"),
        (["optimizer.learning_rate=0.1"], r"Did you mean optimizer.lr\?"),
        (["learning_rate=0.1"], r"Did you mean optimizer.lr\?"),
        (["trainer.epochs=3"], r"Did you mean trainer.max_epochs\?"),
        (["data.bs=3"], r"Did you mean data.batch_size\?"),
        (["trainer.batch_size=3"], r"Did you mean data.batch_size\?"),
        (["optimizer.fused=true"], r"key of the config. optimizer has lr, .* \+optimizer.fused=... adds it. --cfg"),
        (["trainer.max_epoch=1"], r"Did you mean trainer.max_epochs"),
        (["model=mlp", "model.zzzzz=3"], r"model.zzzzz is not a key .* model has .*widths"),
        (["modle=mlp", "optimizer.lrr=1"], r"is not a key of the config. Did you mean"),
        (["model.stages=[[32,,]"], r"model.stages=\[\[32,,\] cannot be parsed: .*quotes"),
        (["model"], "model is no override: write group=option or key=value"),
        (
            ["logger=[tensorboard,neptune]"],
            "logger=neptune is not an option. Choose one of aim, comet, csv, mlflow, none",
        ),
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
        ("optimizer.lr=abc", "optimizer.lr=abc must be a number, like its default 0.001"),
        ("seed=abc", "seed=abc must be a number, like its default 0"),
        ("model.widths=5", r"model.widths=5 must be a list, like its default \[512, 256\]"),
        ("trainer.max_epochs=ten", "trainer.max_epochs=ten must be a number, like its default 10"),
        ("trainer.max_epochs=1e3", "trainer.max_epochs=1000.0 must be a whole number, like its default 10"),
        ("data.batch_size=abc", "data.batch_size=abc must be a number, like its default 128"),
        ("data.seed=abc", "data.seed=abc must be a number, like its default 0"),  # an interpolation
        ("data.classes=3", r"data.classes=3 must be a list, like its default \['disc"),  # others refer to it
        ("data.folds=x", "data.folds=x must be a number, like its default null"),
        ("trainer.limit_val_batches=x", "trainer.limit_val_batches=x must be a number, like its default null"),
        ("hardware.threads=x", "hardware.threads=x must be a number, like its default null"),
        ("optimizer.lr=[1]", r"optimizer.lr=\[1\] must be a number, like its default 0.001"),
    ],
)
def test_a_word_for_a_number_is_refused_by_its_key(word: str, answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        check_override_types(compose(["model=mlp", word]))


def test_values_of_their_own_kind_pass() -> None:
    words = ["model.widths=[3]", "optimizer.lr=1", "trainer.max_time=00:01:00:00", "trainer.limit_val_batches=0.5"]
    words += [
        "hardware.threads=2",
        "trainer.benchmark=true",
        "callbacks.resume.every_seconds=0.5",
        "+optimizer.fused=true",
    ]
    check_override_types(compose(["model=mlp", *words]))


def test_a_missing_value_is_asked_for() -> None:
    with pytest.raises(UserError, match="data.root is required: set data.root="):
        resolve(compose(["data=image_folder"]))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/train is not a folder; data.root must contain"):
        resolve(compose(["data=image_folder", f"data.root={tmp_path}/nowhere"]))
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match=r"train contains no folder; it should contain one folder per class"):
        resolve(compose(["data=image_folder", f"data.root={tmp_path}"]))


def test_classes_are_counted_and_subfolders_listed(image_root: Path) -> None:
    assert resolve(compose(["data=shapes", "data.classes=[disc,star]"])).model.num_classes == 2
    data = resolve(compose(["data=image_folder", f"data.root={image_root}"])).data
    assert (data.classes, data.num_classes) == (["dark", "light"], 2)


def test_a_fact_that_the_data_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "reader.yaml").write_text("_target_: torch.nn.Linear\nsize: ${data.vocab_size}\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "data").mkdir()
    (tmp_path / "conf" / "data" / "letters.yaml").write_text("_target_: x.X\nvocab_size: 7\nnum_classes: 2\n")
    for words, answer in (
        (["model=reader"], "model=reader does not fit data=shapes, which has no data.vocab_size; for model=reader "
                           "choose data=csv, hf_text, imdb, imdb_lm, imdb_mlm, imdb_rtd, letters, reviews, "
                           "text_folder$"),
        (["data=letters"], "model=cnn does not fit data=letters, which has no data.shape; for data=letters choose "
                           "model=bow, gru, hypergraph, lstm, nb_bow, reader$"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=answer):
            resolve(compose(words))


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


def test_composing_within_a_job_leaves_hydras_state_alone(tmp_path: Path) -> None:
    """A job of Hydra's, in a process of its own, composes once more, as the check of types does."""
    program = """
import sys
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from trainyard.config.compose import compose, run_hydra

def job(cfg):
    before = GlobalHydra.instance().hydra, HydraConfig.get().overrides.task
    assert compose(["model=mlp", "seed=5"]).cfg.seed == 5
    assert before == (GlobalHydra.instance().hydra, HydraConfig.get().overrides.task) and before[0] is not None
    print("job", cfg.seed)

run_hydra(job, ["-m", "hydra/sweeper=basic", "seed=1,2", f"hydra.sweep.dir={sys.argv[1]}"])
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.split() == ["job", "1", "job", "2"], done.stderr


def test_another_program_of_a_notebook_keeps_its_own_hydra(tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text("x: 1\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert compose(["model=mlp"]).choices["model"] == "mlp"
        assert hydra.compose("theirs").x == 1


def test_the_old_name_of_a_key_is_answered() -> None:
    for old, new in RENAMED.items():
        with pytest.raises(UserError, match=f"{old} is now called {new}"):
            compose(["data=image_folder", f"{old}=1"])


@pytest.mark.parametrize("word", ["test=no", "data.download=no", "hardware.compile=off", "hardware.deterministic=Yes"])
def test_a_switch_is_true_or_false(word: str, short: list[str]) -> None:
    words = ["data=cifar10"] if "download" in word else ["data=xor"]
    with pytest.raises(UserError, match=f"{word} must be true or false, like its default (true|false)"):
        trainyard.train([*short, "model=mlp", *words, word])


def test_a_number_from_the_environment_needs_decoding(short: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYLR", "0.1")
    with pytest.raises(UserError, match=r"is the text 0.1; optimizer.lr='\$\{oc.decode:\$\{oc.env:NAME\}\}' reads"):
        trainyard.train([*short, "model=mlp", "data=xor", "optimizer.lr=${oc.env:MYLR}"])
    run = trainyard.train([*short, "model=mlp", "data=xor", "optimizer.lr='${oc.decode:${oc.env:MYLR}}'"])
    assert run.cfg.optimizer.lr == 0.1
