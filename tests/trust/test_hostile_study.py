"""A study that someone else wrote runs nothing: it is refused, and what it says is checked where it is trusted."""

import os
import subprocess
import warnings
from pathlib import Path

import optuna
import processes
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from trainyard.errors import UserError
from trainyard.sweep.space import read_space
from trainyard.sweep.storage import MAX_BYTES, open_storage

WORDS = [
    "-m", "hardware=cpu", "hardware.threads=1", "model=mlp", "data=xor", "sweep=search", "hydra.sweeper.study=s",
    "hydra.sweeper.plots=false", "trainer.max_epochs=1", "model.activation=choice(relu,tanh)",
]  # fmt: skip


def sweep(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return processes.run(processes.train, *WORDS, *words, folder=folder, COLUMNS="200")


def create_hostile_study(location: str, canary: Path) -> None:
    """A study whose trials have a mapping as value that would create the canary: one lost its process, one is best."""
    value = {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [str(canary)]}]}
    study = optuna.create_study(study_name="s", storage=open_storage(location))
    for state in (TrialState.RUNNING, TrialState.COMPLETE):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # optuna's, of a choice that is a mapping
            distributions = {"model.activation": CategoricalDistribution([value])}  # pyright: ignore
            score = -1e9 if state == TrialState.COMPLETE else None
            study.add_trial(
                create_trial(state=state, params={"model.activation": value}, distributions=distributions, value=score)
            )


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_trial_with_values_of_its_own_is_never_trained(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "sweeps" / "s"
    location = str(folder / "study.journal") if kind == "journal" else f"sqlite:///{tmp_path}/s.db"
    words = ["hydra.sweeper.n_trials=4", "hydra.sweeper.refit=1", "monitor=val/loss", "mode=min"]
    words += [] if kind == "journal" else [f"hydra.sweeper.storage={location}"]
    create_hostile_study(location, tmp_path / "canary")
    done = sweep(tmp_path, *words)
    assert done.returncode == 1 and "was started by another user" in done.stderr
    done = sweep(tmp_path, *words, "trust=true")
    assert done.returncode == 1 and "trial 0 with model.activation={" in done.stderr, done
    assert "outside the search space" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "canary").exists() and not list(folder.glob("0000*"))


def test_a_study_of_another_user_takes_trust(tmp_path: Path) -> None:
    other = {"XDG_DATA_HOME": str(tmp_path / "other")}
    words = [*WORDS, "hydra.sweeper.n_trials=1"]
    assert processes.run(processes.train, *words, folder=tmp_path, **other).returncode == 0
    done = sweep(tmp_path, "hydra.sweeper.n_trials=2")
    assert done.returncode == 1 and "was started by another user or on another machine" in done.stderr
    assert "trust=true" in done.stderr and "hydra.sweeper.study=" in done.stderr
    assert sweep(tmp_path, "hydra.sweeper.n_trials=1", "trust=true").returncode == 0
    assert sweep(tmp_path, "hydra.sweeper.n_trials=1").returncode == 0  # this user's as well, from now on


@pytest.mark.parametrize("value", [{"_target_": "os.system"}, ["relu"], "gelu", 3, None])
def test_a_value_outside_the_space_never_becomes_an_override(value: object) -> None:
    space = read_space({}, ["a=choice(relu,tanh)", "lr=interval(0.1,1)"])
    with pytest.raises(UserError, match="is outside the search space"):
        space.overrides({"a": value})
    with pytest.raises(UserError, match="is outside the search space"):
        space.overrides({"lr": value})


@pytest.mark.parametrize("kind", ["pipe", "folder", "sparse", "text", "nul", "list"])
def test_what_is_no_study_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "sparse":
        with file.open("wb") as opened:
            opened.truncate(MAX_BYTES + 1)
    else:
        file.write_bytes({"text": b"hello\nhello\n", "nul": b"\0" * 100 + b"\n", "list": b"[1]\n"}[kind])
    with pytest.raises(UserError, match="hydra.sweeper.storage="):
        open_storage(str(file))
