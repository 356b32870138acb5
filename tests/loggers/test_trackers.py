"""A run at its experiment trackers: one id, its config, its scores. (W&B offline, MLflow in a database on disk.)"""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import torch.distributed as dist
from interrupt import cut_off
from torch.testing._internal.distributed.fake_pg import FakeStore

import trainyard
from trainyard.errors import UserError
from trainyard.loggers.trackers import FILE, complete, kind_of

WORDS = [
    "model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100", "callbacks.pictures=null",
    "trainer.limit_train_batches=4",
]  # fmt: skip
OFFLINE = ["logger=[tensorboard,wandb]", "logger.wandb.offline=true"]


@pytest.fixture
def mlflow_runs(tmp_path: Path) -> Any:
    """The words that choose a database, and a function that lists the runs in it."""
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    uri = f"sqlite:///{tmp_path}/mlflow.db"

    def found() -> list[Any]:
        client = mlflow.MlflowClient(uri)
        return client.search_runs([each.experiment_id for each in client.search_experiments()])

    return ["logger=mlflow", f"logger.mlflow.tracking_uri={uri}"], found


@pytest.mark.slow
def test_mlflow_has_the_config_and_every_score(mlflow_runs: Any, short: list[str], tmp_path: Path) -> None:
    words, found = mlflow_runs
    run = trainyard.train([*short, *WORDS, *words, f"run.dir={tmp_path}/outputs/one"])
    (there,) = found()
    assert there.info.status == "FINISHED" and there.info.run_name == "outputs/one"
    assert there.data.params["optimizer.lr"] == str(run.cfg.optimizer.lr)
    assert there.data.metrics["test/accuracy"] == pytest.approx(run.summary["test"]["test/accuracy"])
    assert there.data.metrics["best/loss"] == pytest.approx(run.summary["best"]["val/loss"])


@pytest.mark.slow
def test_a_resumed_run_keeps_its_id(mlflow_runs: Any, short: list[str], tmp_path: Path) -> None:
    words, found = mlflow_runs
    path = tmp_path / "cut"
    cut_off([*short, *WORDS, *words], path, after=5)
    (there,) = found()
    assert there.info.status == "FAILED" and json.loads((path / FILE).read_text()) == {"mlflow": there.info.run_id}
    trainyard.train([f"resume={path}"])
    (again,) = found()
    assert (again.info.run_id, again.info.status) == (there.info.run_id, "FINISHED")


@pytest.mark.slow
def test_runs_of_one_process_are_runs_of_their_own(short: list[str], tmp_path: Path) -> None:
    wandb = pytest.importorskip("wandb", reason="the extra wandb is not installed")
    ids = []
    for name in ("a", "b"):
        run = trainyard.train([*short, *WORDS, *OFFLINE, f"run.dir={tmp_path}/{name}"])
        assert wandb.run is None  # the next one would be the same otherwise
        ids.append(json.loads((run.path / FILE).read_text())["wandb"])
        (kept,) = (run.path / "wandb").glob(f"offline-run-*-{ids[-1]}/*.wandb")
        until = monotonic() + 60
        while b"test/accuracy" not in kept.read_bytes():  # W&B's own process writes it
            assert monotonic() < until, "the scores never came"
            sleep(0.1)
        assert b"weight_decay" in kept.read_bytes()
    assert ids[0] != ids[1]


@pytest.mark.slow
def test_aim_has_the_config_and_every_score_of_a_run_that_was_cut_off(short: list[str], tmp_path: Path) -> None:
    aim = pytest.importorskip("aim", reason="the extra aim is not installed")
    from aim.sdk.index_manager import RepoIndexManager

    path = tmp_path / "outputs" / "one"
    cut_off([*short, *WORDS, "logger=aim", f"logger.aim.repo={tmp_path}"], path, after=5)
    run = trainyard.train([f"resume={path}"])
    repo = aim.Repo(str(tmp_path))
    (number,) = repo.list_all_runs()  # one, before and after
    assert json.loads((path / FILE).read_text()) == {"aim": number}
    RepoIndexManager.get_index_manager(repo).index(number)  # as `aim up` does
    there = repo.get_run(number)
    assert there.name == "outputs/one" and there["hparams"]["optimizer.lr"] == run.cfg.optimizer.lr
    scores = {(each.name, each.context.to_dict().get("subset")): each for each in there.metrics()}
    last = float(scores["accuracy", "test"].values.sparse_numpy()[1][-1])
    assert last == pytest.approx(run.summary["test"]["test/accuracy"])
    assert ("loss", "train") in scores and ("loss", "val") in scores


def test_one_process_of_several_needs_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one alone logs; asked by every process, a server would be asked as often."""
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for rank, refused in ((0, True), (1, False)):
        dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=2)
        try:
            node = {"wandb": {"_target_": "lightning.pytorch.loggers.WandbLogger"}}
            with pytest.raises(UserError, match="there is no key") if refused else nullcontext():
                complete(node, tmp_path)
        finally:
            dist.destroy_process_group()


def test_without_a_key_nothing_begins(short: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(UserError, match="logger=wandb: there is no key for Weights & Biases; run `wandb login`"):
        trainyard.train([*short, *WORDS, "logger=wandb", f"run.dir={tmp_path}/run"])
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_package_that_is_missing_is_named(short: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "comet_ml", None)
    with pytest.raises(UserError, match=r"comet_ml is not installed: pip install 'trainyard\[comet\]'"):
        trainyard.train([*short, *WORDS, "logger=comet", f"run.dir={tmp_path}/run"])


def test_other_loggers_are_no_trackers() -> None:
    assert kind_of({"_target_": "trainyard.loggers.csv_file.CSVFile"}) is kind_of(None) is None
