"""experiment=FILE.yaml: a recipe from anywhere, which names no code."""

import subprocess
import sys
from pathlib import Path

import pytest

from trainyard.config.compose import compose
from trainyard.errors import UserError

RECIPE = "# @package _global_\ndefaults:\n- override /model: mlp\nmodel: {widths: [7]}\nseed: 5\n"


@pytest.mark.parametrize("absolute", [True, False])
def test_a_file_is_composed_like_an_option_of_the_group(
    absolute: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("some folder") / "best.yaml"
    file.parent.mkdir()
    file.write_text(RECIPE)
    name = file.absolute() if absolute else file
    composed = compose([f"experiment='{name}'", "seed=6"])
    assert composed.choices["model"] == "mlp" and composed.cfg.model.widths == [7] and composed.cfg.seed == 6


def test_a_recipe_that_names_no_class_does_not_wait_for_torch(tmp_path: Path) -> None:
    file = tmp_path / "best.yaml"
    file.write_text(RECIPE)
    asked = (
        f"import sys, trainyard.config.compose as c; c.compose(['experiment={file}']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked]).returncode == 0


def test_a_recipe_may_start_from_one_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("# @package _global_\ndefaults:\n- /experiment/xor_mlp\n- _self_\ntrainer: {max_epochs: 3}\n")
    cfg = compose([f"experiment={file}"]).cfg
    assert cfg.trainer.max_epochs == 3 and cfg.data.gate == "xor" and cfg.model.activation == "swish"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: {_target_: os.system, command: 'touch pwned'}", "_target_ is os.system, outside trainyard"),
        ("callbacks:\n  x:\n    - {_target_: subprocess.run}", "_target_ is subprocess.run"),
        ("model: !!python/object/apply:os.system ['touch pwned']", "it contains a tag"),
        ("a: &x [1]\nb: *x", "it contains an alias"),
        ("- 1", "it contains no mapping"),
        ("callbacks: {x: '${oc.create:{_target_:os.system}}'}", "may refer to other keys"),
        ("seed: '${oc.env:HOME}'", "may refer to other keys"),
        ("seed: '${${a}:b}'", "may refer to other keys"),
        ("model: {_target_: '${a}'}", "_target_ is"),
        ("model: {_args_: [1]}", "has the key _args_"),
        ("hydra: {job: {env_set: {PATH: x}}}", "sets hydra, which only the command line may set"),
        ("trust: true", "sets trust"),
        ("defaults: [{override /logger: mlflow}]", "chooses logger=mlflow, which sends runs elsewhere"),
        ("logger: {wandb: {settings: {base_url: 'x'}}}", "chooses logger=wandb, which sends runs elsewhere"),
    ],
)
def test_a_recipe_that_names_code_is_refused(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        compose(["experiment=evil.yaml"])
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "text",
    [
        "callbacks: {best: {dirpath: /elsewhere}}",
        "callbacks: {best: {dirpath: elsewhere}}",
        "callbacks: {best: {filename: ../../elsewhere}}",
        "callbacks: {best: {filename: '${run.dir}/../../elsewhere'}}",
        "callbacks: {best: {filename: '${name}'}}\nname: ../elsewhere",
        "callbacks: {best: {filename: '${data.root}'}}\ndata: {root: /elsewhere}",
        "callbacks: {resume: {folder: '${run.root}/other/checkpoints'}}",
        "callbacks: {mine: {deep: [{deeper: ~/elsewhere}]}}",
        "logger: {tensorboard: {save_dir: elsewhere}}",
        "logger: {tensorboard: {name: ../../elsewhere}}",
        "trainer: {default_root_dir: /elsewhere}",
        "data: {cache: /elsewhere}",
        "defaults: [{override /hydra/job_logging: default}]",
        "defaults: [/../../evil]",
        "defaults: [{override /model: ../../evil}]",
    ],
)
def test_a_recipe_cannot_write_outside_the_run_directory(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.yaml").write_text(text)
    with pytest.raises(UserError, match="evil.yaml sets .*only the command line may"):
        compose(["experiment=evil.yaml"])


def test_a_recipe_may_write_within_the_run_directory_and_the_command_line_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = (
        "callbacks: {best: {dirpath: '${run.dir}/best', filename: '{epoch}'}}\nlogger: {tensorboard: {name: curves}}\n"
    )
    text += "data: {seed: 3, +csv: {file: /data/train.csv}}\nmodel: {+path: /weights}\n".replace("+", "")
    file.write_text(f"# @package _global_\n{text}")
    cfg = compose([f"experiment={file}", "run.dir=here"]).cfg
    assert cfg.callbacks.best.dirpath == "here/best" and cfg.logger.tensorboard.name == "curves"
    assert compose([f"experiment={file}", "callbacks.best.dirpath=/tmp"]).cfg.callbacks.best.dirpath == "/tmp"


def test_a_key_that_is_null_sets_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("# @package _global_\nresume: null\nseed: 3\n")
    assert compose([f"experiment={tmp_path}/mine.yaml"]).cfg.seed == 3


def test_a_file_that_does_not_exist_is_named() -> None:
    with pytest.raises(
        UserError, match="experiment=nowhere/best.yaml: there is no such file, and none in conf/experiment"
    ):
        compose(["experiment=nowhere/best.yaml"])
