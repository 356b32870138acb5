"""Runs of version 0.1, whose callbacks lay in other modules and one of whose keys had another name, still open."""

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import trainyard
from trainyard.config.compose import compose
from trainyard.config_keys import ADDED, flatten, unflatten, upgrade
from trainyard.errors import UserError
from trainyard.sweep.study import upgrade_config
from trainyard.trust.signature import SIGNATURE, SIGNATURE_0_1, SIGNED_FILES, read_signed, sign

STORED = Path(__file__).parent / "version_0_1"  # python train.py data=xor model=mlp 'model.widths=[4]' ..., at 958ecf2


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stored run, as if this user had made it."""
    path = tmp_path / "old_run"
    shutil.copytree(STORED, path)
    sign(path, {name: (path / name).read_bytes() for name in SIGNED_FILES})
    (path / SIGNATURE).rename(path / SIGNATURE_0_1)
    monkeypatch.chdir(tmp_path)  # its config has run.dir=old_run
    return path


def test_it_is_this_users_own_and_is_scored(earlier: Path) -> None:
    run = trainyard.Run(earlier)
    assert not run.is_foreign and run.cfg.task.backbone_lr_scale == 1.0 and "base_lr" not in run.cfg.task
    assert run.evaluate() == pytest.approx(run.summary["test"], abs=1e-4)
    assert run.predict(torch.tensor([[0.0, 1.0]])).shape == (1, 2)


def test_it_is_scored_as_someone_elses_too() -> None:
    run = trainyard.Run(STORED)
    assert read_signed(STORED) is None and run.is_foreign
    assert run.evaluate() == pytest.approx(run.summary["test"], abs=1e-4)


def test_it_continues_and_ends_as_a_run_of_today(earlier: Path, tmp_path: Path) -> None:
    longer = trainyard.train([f"resume={earlier}", "trainer.max_epochs=9"])
    words = ["data=xor", "model=mlp", "model.widths=[4]", "scheduler=constant", "logger=none", "hardware=cpu"]
    whole = trainyard.train([*words, "hardware.threads=1", "trainer.max_epochs=9", f"run.dir={tmp_path}/whole"])
    a, b = (run.task("last").state_dict() for run in (longer, whole))
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)  # its first epochs ran on another processor
    assert longer.summary["epochs"] == 9 and longer.cfg.callbacks.finite["_target_"].endswith("NonFiniteGuard")
    again = trainyard.train([*words, "hardware.threads=1", "trainer.max_epochs=9", f"run.dir={earlier}"])
    assert again.summary == longer.summary  # the same words find it finished


def test_renaming_leaves_everything_else_alone() -> None:
    task, data = {"_target_": "trainyard.tasks.x.X"}, {"_target_": "trainyard.data.x.X"}
    config = {"task": {**task, "base_lr": 0.1}, "base_lr": 2, "data": {**data, "memory": 5, "x": [{"memory": 1}]}}
    expected = {"task": {**task, "backbone_lr_scale": 0.1}, "base_lr": 2,
                "data": {**data, "in_memory_bytes": 5, "x": [{"memory": 1}]}}  # fmt: skip
    assert upgrade(config) == expected
    own = {"task": {"_target_": "mine.Task", "base_lr": 0.1}, 3: {"task": None}, "data": {"memory": 5}}
    assert upgrade(own) == own


def test_a_run_from_before_a_key_existed_is_still_the_same_run(short: list[str], tmp_path: Path) -> None:
    words = [*short, "model=vit", "model.dim=8", "model.depth=1", "model.ff_dim=8", "data=shapes", "data.size=100",
             f"run.dir={tmp_path}/here"]  # fmt: skip
    run = trainyard.train(words)
    for name in ("config.yaml", "config.resolved.yaml"):
        file = run.path / name
        assert "  attention_dropout: 0.0\n" in file.read_text()
        file.write_text(file.read_text().replace("  attention_dropout: 0.0\n", ""))
    sign(run.path, {name: (run.path / name).read_bytes() for name in SIGNED_FILES})
    assert trainyard.Run(run.path).cfg.model.attention_dropout == 0.0
    assert trainyard.train(words).summary == run.summary  # it is finished
    flat = {"model._target_": "trainyard.models.vit.ViT", "seed": 0}
    assert upgrade_config(flat) == {**flat, "model.attention_dropout": 0.0}  # of a study
    averaged = {"callbacks.ema._target_": "trainyard.callbacks.ema.EMA"}
    assert upgrade_config(averaged)["callbacks.ema.warmup"] is False
    assert upgrade_config({"model._target_": "mine.Net"}) == {"model._target_": "mine.Net"}


@pytest.mark.parametrize(
    "words",
    [["data=shapes", "model=vit", "callbacks=ema"], ["data=cifar10"], ["data=image_folder", "data.root=x"],
     ["data=imdb", "model=gru"], ["data=csv", "model=gru", "data.root=x"], ["data=imdb_lm", "model=gpt"],
     ["data=xor", "model=perceptron"]],
    ids=" ".join,
)  # fmt: skip
def test_a_config_without_the_keys_that_were_added_is_todays(words: list[str]) -> None:
    cfg = OmegaConf.to_container(compose([*words, "run.dir=x"]).cfg)
    assert isinstance(cfg, dict)
    flat = flatten(cfg)
    assert set(flat) & set(ADDED)
    older = unflatten({key: value for key, value in flat.items() if key not in ADDED})
    assert flatten(upgrade(older)) == flat


OWN_DATA = """
import torch
from trainyard.data.base import DataModule, Samples

class Mem(DataModule):
    def __init__(self, memory, shape, num_classes, **loading):
        super().__init__(**loading)
        self.memory, self.num_classes = memory, num_classes

    def read(self, split):
        return Samples(torch.arange(40.0).view(20, 2) / self.memory, torch.arange(20) % 2)
"""


def test_a_class_of_ones_own_keeps_an_argument_of_a_renamed_key(
    short: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`data.memory` was a key of image_folder; the user's own dataset may have an argument of that name."""
    (tmp_path / "own_mem.py").write_text(OWN_DATA)
    (tmp_path / "conf" / "data").mkdir(parents=True)
    keys = "defaults: [/base/loading@_here_]\n_target_: own_mem.Mem\nmemory: 10\nshape: [2]\nnum_classes: 2\n"
    (tmp_path / "conf" / "data" / "mem.yaml").write_text(keys)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    words = [*short, "model=mlp", "data=mem", "scheduler=constant", "run.dir=here"]
    run = trainyard.train(words)
    assert trainyard.Run("here").evaluate() == pytest.approx(run.summary["test"])
    assert trainyard.train(words).summary == run.summary  # the same command: it is finished
    assert trainyard.train(["resume=here", "trainer.max_epochs=3"]).summary["epochs"] == 3


@pytest.mark.parametrize(("key", "name"), [("task.base_lr", "task.backbone_lr_scale"), ("data.memory", "data.in_mem")])
def test_an_experiment_file_with_an_old_key_is_told_the_new_one(
    key: str, name: str, tmp_path: Path, image_root: Path
) -> None:
    group, _, last = key.partition(".")
    (tmp_path / "old.yaml").write_text(f"# @package _global_\n{group}: {{{last}: 1}}\n")
    words = ["data=image_folder", f"data.root={image_root}", "model=cnn"] if group == "data" else ["model=mlp"]
    with pytest.raises(UserError, match=f"takes no argument {last}. It is now called {name}"):
        trainyard.train([*words, f"experiment={tmp_path}/old.yaml"])
