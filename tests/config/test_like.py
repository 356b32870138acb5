"""like=RUN: a new run that begins with the config of an old one."""

import re
import shutil
from pathlib import Path
from typing import Any

import hydra
import processes
import pytest
import yaml

import trainyard
from trainyard.config.compose import compose
from trainyard.config_keys import flatten
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.report.runs import read_run

NETWORK = """
from torch import nn

class MyNet(nn.Sequential):
    def __init__(self, features: int, num_classes: int, width: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(features, width), nn.ReLU(), nn.Linear(width, num_classes))
"""
FACTS = "_target_: my_net_of_like.MyNet\nfeatures: 2\nnum_classes: ${data.num_classes}\nwidth: 64\n"
OWN_VALUES = [
    "model=my_net", "model.width=7", "data=xor", "seed=3", "optimizer=sgd", "optimizer.lr=0.3", "~optimizer.nesterov",
    "callbacks=ema", "callbacks.ema.decay=0.5", "callbacks.throughput=null", "logger=csv", "test=false",
    "+callbacks.own={_target_: lightning.pytorch.callbacks.Timer, duration: '00:01:00:00'}",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network of the user's own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "conf" / "model" / "my_net.yaml").write_text(FACTS)
    (folder / "my_net_of_like.py").write_text(NETWORK)
    return folder


@pytest.fixture
def old(old_run: trainyard.Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> trainyard.Run:
    """The old run, in its folder."""
    monkeypatch.chdir(folder)
    return old_run


@pytest.fixture(scope="module")
def old_run(folder: Path, short: list[str]) -> trainyard.Run:
    """A run of that network, many of whose values are not the usual ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return trainyard.train([*short, *OWN_VALUES, "run.root=outputs"])


def config(path: Path) -> dict[str, Any]:
    return flatten(yaml.safe_load((path / "config.resolved.yaml").read_text()))


def differences(one: Path, two: Path) -> set[str]:
    """The keys with other values, but for those that name the run directory, and parts that are null or missing."""
    here, there = config(one), config(two)
    keys = {key for key in {**here, **there} if here.get(key) != there.get(key)}
    return {key for key in keys if str(one) not in str(here.get(key))} - {"logger.tensorboard"}


def numbers(path: Path) -> list[dict[str, Any]]:
    timed = ("time", "samples_per_second")
    return [{key: value for key, value in row.items() if key not in timed} for row in read_metrics(path)]


def test_the_same_seed_gives_the_same_run(old: trainyard.Run) -> None:
    new = trainyard.train([f"like={old.path}"])
    assert new.path != old.path and new.path.parent == old.path.parent == Path("outputs/my_net_xor")
    assert differences(old.path, new.path) == set()
    assert numbers(new.path) == numbers(old.path)
    assert yaml.safe_load((new.path / "overrides.yaml").read_text()) == [f"like={old.path}", "~optimizer.nesterov"]
    assert "like=outputs/my_net_xor/..." in read_run(new.path).words
    again = compose([f"like={new.path}"])
    assert again.cfg.optimizer == compose([f"like={old.path}"]).cfg.optimizer


def test_a_change_is_the_only_difference(old: trainyard.Run) -> None:
    done = processes.run(processes.train, f"like={old.path}", "optimizer.lr=0.2", "run.dir=changed", folder=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert differences(old.path, Path("changed")) == {"optimizer.lr"}
    shown = processes.run(processes.train, f"like={old.path}", "seed=5", "--cfg", "job", folder=Path.cwd()).stdout
    assert "lr: 0.3" in shown and "seed: 5" in shown and "width: 7" in shown and "nesterov" not in shown


@pytest.mark.slow
def test_it_is_resumed_without_the_run_that_it_began_like(old: trainyard.Run) -> None:
    copy = shutil.copytree(old.path, "copy")
    new = trainyard.train([f"like={copy}", "model=mlp", "model.widths=[4]", "scheduler=constant", "run.dir=mine"])
    shutil.rmtree(copy)
    assert trainyard.train([f"resume={new.path}", "trainer.max_epochs=3"]).summary["epochs"] == 3


@pytest.mark.slow
def test_a_grid_over_seeds(old: trainyard.Run) -> None:
    if hydra.__version__ == "1.4.0rc3":
        pytest.skip("with -m, this release candidate cannot delete a key (~optimizer.nesterov), like= or not")
    done = processes.run(processes.train, "-m", "like=latest", "seed=3,4", "hydra.sweep.dir=grid", folder=Path.cwd())
    assert done.returncode == 0, done.stderr
    bar = "trainer.enable_progress_bar"  # one shows the progress of all jobs
    found = [differences(old.path, Path("grid") / name) for name in ("0000", "0001")]
    assert found == [{bar}, {bar, "seed", "data.seed"}]


def test_a_group_chosen_anew_begins_with_its_own_values(old: trainyard.Run) -> None:
    cfg = compose([f"like={old.path}", "optimizer=adam", "model=mlp"]).cfg
    usual = compose(["optimizer=adam", "model=mlp", "data=xor"]).cfg
    assert cfg.optimizer == usual.optimizer and cfg.model == usual.model
    assert cfg.seed == 3 and cfg.callbacks.ema.decay == 0.5


def test_what_a_choice_brought_along_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    composed = compose(["model=perceptron", "data=xor", "task.num_classes=2", "data.gate=and"])
    write_run(tmp_path / "old", composed)
    assert compose(["like=old"]).choices["task"] == "perceptron"
    other = compose(["like=old", "model=mlp"])
    assert other.choices["task"] == "classification" and other.choices["optimizer"] == "adamw"
    assert other.cfg.data.gate == "and"


def write_run(path: Path, composed: Any) -> None:
    """The config files of a run that nobody has to train."""
    from trainyard.config.resolve import resolve
    from trainyard.runs.directory import write_config

    path.mkdir()
    write_config(path, composed, resolve(composed, {"run.name": "any"}))


def test_an_experiments_name_is_kept_and_another_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "old", compose(["experiment=xor_mlp"]))
    composed = compose(["like=old"])
    assert composed.cfg.run.name == "any" and composed.cfg.trainer.max_epochs == 1000
    assert compose(["like=old", "run.name=mine"]).cfg.run.name == "mine"


def test_latest_is_the_newest_run(run: trainyard.Run) -> None:
    root = run.path.parents[1]
    (word,) = [word for word in compose(["like=latest", f"run.root={root}"]).overrides if word.startswith("like=")]
    assert Path(word.removeprefix("like=")).is_relative_to(root)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["like=nowhere"], "like=nowhere: there is no such folder; name a run directory, like=outputs/..."),
        (["like="], "like= names no run; name a run directory, like=outputs/..., or like=latest"),
        (["like=outputs"], "outputs is not a run, it has no config.yaml; the newest run below it is outputs/my_net"),
        (["like=latest", "resume=x"], "like=latest begins a new run .* and resume=x continues a run; give one"),
        (["like=latest", "experiment=y"], "like=latest begins a new run .* and experiment=y is another config"),
        (["like=latest", "run.root=conf"], "like=latest: there is no run below conf"),
        (["like=latest", "model=resnet19"], "model=resnet19 is not an option. Did you mean resnet18"),
        (["like=latest", "optimizer.lrr=1"], "optimizer.lrr is not a key of the config. Did you mean optimizer.lr?"),
    ],
)
def test_what_cannot_be_is_one_sentence(words: list[str], answer: str, old: trainyard.Run) -> None:
    with pytest.raises(UserError, match=answer):
        compose(words)


def test_the_config_of_a_run_is_no_experiment(old: trainyard.Run) -> None:
    with pytest.raises(UserError, match=f"is the config of a run: like={old.path} begins a new run with it"):
        compose([f"experiment={old.path}/config.yaml"])


def test_someone_elses_run_passes_the_checks_of_an_experiment_file(old: trainyard.Run, tmp_path: Path) -> None:
    foreign = shutil.copytree(old.path, tmp_path / "foreign")
    (foreign / ".signature").unlink()
    text = (foreign / "config.yaml").read_text().replace("lightning.pytorch.callbacks.Timer", "torch.nn.Identity")
    (foreign / "config.yaml").write_text(text)
    assert compose([f"like={foreign}"]).cfg.optimizer.lr == 0.3  # its model is an option of the user's own
    for pattern, value, answer in (
        (r"_target_: my_net\S*", "_target_: os.system", "_target_ is os.system, outside .*trust=true"),
        (r"filename: .*", "filename: ../../x", "sets callbacks.best.filename=../../x.*, unless you add trust=true"),
        (r"seed: 3", "seed: ${oc.env:HOME}", "may refer to other keys"),
    ):
        changed, count = re.subn(pattern, lambda _, value=value: value, text, count=1)
        (foreign / "config.yaml").write_text(changed)
        with pytest.raises(UserError, match=answer):
            compose([f"like={foreign}"])
        assert count == 1 and compose([f"like={foreign}", "trust=true"])
    (foreign / "config.yaml").write_text(text)
    (foreign / "choices.yaml").write_text("model: ../../evil\n")
    with pytest.raises(UserError, match="sets ../../evil, which only the command line may set"):
        compose([f"like={foreign}"])
