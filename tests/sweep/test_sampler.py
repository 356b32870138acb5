"""Every sampler and pruner that the config offers, in Optuna's own loop of asking and telling."""

import warnings
from pathlib import Path

import optuna
import pytest
from conftest import ROOT

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.sweep.sampler import make_sampler
from trainyard.sweep.space import Space, read_space

SAMPLERS, PRUNERS = (
    sorted(file.stem for file in (ROOT / "conf" / "hydra" / "sweeper" / group).glob("*.yaml"))
    for group in ("sampler", "pruner")
)
NUMBERS = ["x=interval(0.0,1.0)", "y=int(interval(1,9))"]
CHOICES = ["x=choice(0.1,0.5,0.9)", "y=range(1,9,2)"]


def study(name: str, space: Space, file: Path) -> optuna.Study:
    node = compose(["sweep=search", f"hydra/sweeper/sampler={name}"]).sweeper.sampler
    if "n_startup_trials" in node:
        node.n_startup_trials = 2  # what comes after them is the sampler's own
    journal = optuna.storages.journal.JournalFileBackend(str(file))
    storage = optuna.storages.JournalStorage(journal)
    return optuna.create_study(study_name="s", storage=storage, load_if_exists=True, sampler=make_sampler(node, space))


def run(name: str, space: Space, file: Path, trials: int) -> list[dict]:
    found = study(name, space, file)
    while len(found.trials) < trials:
        trial = found.ask(space.distributions)
        try:
            found.tell(trial, (trial.params["x"] - 0.3) ** 2 + trial.params["y"])
        except RuntimeError:  # the grid is through
            break
    return [trial.params for trial in found.trials]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_searches_and_an_interrupted_search_is_the_uninterrupted_one(name: str, tmp_path: Path) -> None:
    space = read_space({}, CHOICES if name == "grid" else NUMBERS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = run(name, space, tmp_path / "whole", 6)
        run(name, space, tmp_path / "cut", 3)
        assert run(name, space, tmp_path / "cut", 6) == whole
    assert len({str(params) for params in whole}) == 6


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_can_be_asked(name: str) -> None:
    sweeper = compose(["sweep=search", f"hydra/sweeper/pruner={name}"])
    node = sweeper.sweeper.pruner
    if name == "hyperband":
        assert node.max_resource == sweeper.cfg.trainer.max_epochs
    found = optuna.create_study(direction="maximize", pruner=instantiate(node, "pruner"))
    decisions = []
    for score in [0.9] * 6 + [0.1] * 6:
        trial, over = found.ask(), False
        for step in range(1, 9):
            trial.report(score + step / 100, step)
            over = over or trial.should_prune()
        found.tell(trial, score)
        decisions.append(over)
    assert any(decisions[6:]) == (name != "none")
