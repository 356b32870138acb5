"""The study: opened or made, and refused where it was begun as another search."""

import json
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import distribution_to_json
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial

from trainyard.build import build
from trainyard.errors import UserError
from trainyard.free import flat, is_free
from trainyard.sweep.options import DIRECTIONS, Options
from trainyard.sweep.sampler import make_sampler
from trainyard.sweep.space import Space
from trainyard.sweep.storage import open_storage

OWN = ("hydra.", "callbacks.pruning.")  # of the config: nothing that changes what a trial comes to
COMPARED = ("trainer.max_epochs",)  # free for a run that goes on, not among trials
SPACE, CONFIG = "space", "config"  # attributes of the study


def open_study(options: Options, config: DictConfig, space: Space) -> optuna.Study:
    """The study of that name, made if there is none; UserError if it searches something else than is asked for."""
    node = config.hydra.sweeper
    directions: list[Any] = [DIRECTIONS[mode] for mode in options.objectives.values()]
    study = optuna.create_study(
        study_name=options.study,
        storage=open_storage(options.location),
        directions=directions,
        load_if_exists=True,
        sampler=make_sampler(node.sampler, space),
        pruner=build(node.pruner, "hydra/sweeper/pruner"),
    )
    wanted = {
        SPACE: {name: json.loads(distribution_to_json(each)) for name, each in space.distributions.items()},
        CONFIG: {**steady(config, list(space.parameters)), **single(options.params, space)},
        "order of objectives": {
            str(i): f"{name} ({mode})" for i, (name, mode) in enumerate(options.objectives.items())
        },
    }
    if not study.trials and (runs := sorted(options.folder.glob("[0-9]*/status.json"))):
        raise UserError(
            f"{options.folder} holds runs of another study ({runs[0].parent.name} ...), and {options.study} has no "
            "trial yet; move them away, or give this one another name, hydra.sweeper.study=..."
        )
    for name, now in wanted.items():
        then = study.user_attrs.get(name)
        if then is None:
            study.set_user_attr(name, now)
        elif differ := [key for key in {**then, **now} if then.get(key) != now.get(key)]:
            said = "; ".join(f"{key} is {said_of(then.get(key))} there, {said_of(now.get(key))} here" for key in differ)
            raise UserError(
                f"the study {options.study} in {options.folder} was begun with another {name}: {said}. The same words "
                "resume it; for another search give it a name of its own, hydra.sweeper.study=..."
            )
    return study


def single(params: dict[str, Any], space: Space) -> dict[str, Any]:
    """What the search space's own file gives one value."""
    return {f"hydra.sweeper.params.{name}": value for name, value in params.items() if name not in space.parameters}


def steady(config: DictConfig, swept: list[str]) -> dict[str, Any]:
    """What all trials have in common, as far as it changes what they come to; interpolations stand as they are."""
    values = flat(OmegaConf.to_container(config, resolve=False))
    groups = tuple(f"{name}." for name in swept)
    return {
        key: value
        for key, value in values.items()
        if not key.startswith((*OWN, *groups)) and key not in swept and (not is_free(key) or key in COMPARED)
    }


def said_of(value: Any) -> str:
    """A value or distribution in a few words."""
    if isinstance(value, dict) and "attributes" in value:
        said = ", ".join(f"{key}={each}" for key, each in value["attributes"].items() if each not in (False, None))
        return f"{str(value['name']).removesuffix('Distribution').lower()} {said}"
    return "nothing" if value is None else str(value)


def load(name: str, storage: BaseStorage, pruner: BasePruner) -> optuna.Study:
    """A study to look at trials that are there already: it draws nothing."""
    return optuna.load_study(study_name=name, storage=storage, sampler=RandomSampler(), pruner=pruner)


def quiet(study: optuna.Study) -> optuna.Study:
    """The same study without its sampler."""
    return load(study.study_name, study._storage, study.pruner)


def live(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """A trial to report to and to write on, of a study that draws nothing. (Optuna has no public way to it.)"""
    return Trial(study, trial._trial_id)
