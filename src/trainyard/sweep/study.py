"""Open or create a study; refuse one that was started with another search space, config or objectives."""

import json
import logging
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import distribution_to_json
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial

from trainyard.config.instantiate import instantiate
from trainyard.config_keys import ADDED, MOVED, RENAMED, changes_numbers, flatten, key_of
from trainyard.errors import UserError, printable
from trainyard.sweep.options import DIRECTIONS, Options
from trainyard.sweep.sampler import make_sampler
from trainyard.sweep.space import Space
from trainyard.sweep.storage import open_storage
from trainyard.trust.signature import keyed_digest

SPACE, CONFIG, ORDER = "space", "config", "order of objectives"  # attributes of the study
SIGNATURE = "signature"  # beginning of an attribute, which ends with the digest: one for each user who works on it
log = logging.getLogger(__name__)


def open_study(options: Options, config: DictConfig, space: Space) -> optuna.Study:
    """The study of that name, created if there is none; UserError if it is another search, or another user's."""
    node = config.hydra.sweeper
    directions: list[Any] = [DIRECTIONS[mode] for mode in options.objectives.values()]
    study = optuna.create_study(
        study_name=options.study,
        storage=open_storage(options.location),
        directions=directions,
        load_if_exists=True,
        sampler=make_sampler(node.sampler, space),
        pruner=instantiate(node.pruner, "hydra/sweeper/pruner"),
    )
    if not study.trials and (runs := sorted(options.folder.glob("[0-9]*/status.json"))):
        raise UserError(
            f"{options.folder} contains runs of another study ({runs[0].parent.name} ...), and {options.study} has no "
            "trial yet; move them away, or give this study another name, hydra.sweeper.study=..."
        )
    wanted = {
        SPACE: {name: json.loads(distribution_to_json(each)) for name, each in space.distributions.items()},
        CONFIG: {**fixed_config(config, space), **fixed_params(options.params, space)},
        ORDER: {str(i): f"{name} ({mode})" for i, (name, mode) in enumerate(options.objectives.items())},
    }
    is_new = not study.trials
    for name, now in wanted.items():
        then = study.user_attrs.get(name)
        if then is None:
            study.set_user_attr(name, now)
        else:
            check_same(options, name, upgrade_config(then) if name == CONFIG else then, now)
    sign_study(study, options, is_new or config.trust)
    for trial in study.trials:
        check_values(trial, space, options)
    return study


def check_values(trial: FrozenTrial, space: Space, options: Options) -> None:
    """Raise UserError for a trial with a value that this search space cannot have drawn: it may name code."""
    for name, value in trial.params.items():
        if name not in space.parameters or not space.parameters[name].contains(value):
            raise UserError(
                f"the study {options.study} in {options.folder} has a trial {trial.number} with "
                f"{printable(name)}={printable(value)}, which is outside the search space: someone has changed it. "
                "Give this study another name: hydra.sweeper.study=..."
            )


def sign_study(study: optuna.Study, options: Options, is_trusted: bool) -> None:
    """Sign a study that `is_trusted`; UserError for any other that this user has not signed."""
    known = study.user_attrs
    content = json.dumps([study.study_name, *(known[name] for name in (SPACE, CONFIG, ORDER))], sort_keys=True)
    try:
        mark = f"{SIGNATURE} {keyed_digest('study', content.encode())}"
    except OSError as error:
        mark = None
        log.warning("the study cannot be signed (%s): continuing it will take trust=true", error)
    if is_trusted and mark:
        study.set_user_attr(mark, True)
    elif not is_trusted and mark not in known:
        raise UserError(
            f"the study {options.study} in {options.folder} was started by another user or on another machine, or was "
            "changed since. Add trust=true to continue it (its values are checked in any case), or give this one "
            "another name: hydra.sweeper.study=..."
        )


def check_same(options: Options, name: str, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise UserError, with the difference, if the study has another space, config or order of objectives."""
    if changed := [key for key in {**then, **now} if then.get(key) != now.get(key)]:
        listed = "; ".join(
            f"{key} is {in_words(then.get(key))} there, {in_words(now.get(key))} here" for key in changed
        )
        raise UserError(
            f"the study {options.study} in {options.folder} was started with another {name}: {listed}. Use the same "
            "command to continue it, or another name for another search: hydra.sweeper.study=..."
        )


def fixed_params(params: dict[str, Any], space: Space) -> dict[str, Any]:
    """The parameters of the search space's own file that have a single value."""
    return {f"hydra.sweeper.params.{name}": value for name, value in params.items() if name not in space.keys}


def fixed_config(config: DictConfig, space: Space) -> dict[str, Any]:
    """What all trials have in common, as far as it changes their numbers; interpolations stand as they are.

    Of a group whose options vary, these are the words that set its keys.
    """
    values = flatten(OmegaConf.to_container(config, resolve=False))
    groups = tuple(f"{name}." for name in space.keys)
    words = {key_of(word): word for word in space.fixed}
    kept = {
        key: value
        for key, value in values.items()
        if changes_numbers(key) and key not in space.keys and not key.startswith(groups)
    }
    return {**kept, **{key: word for key, word in words.items() if changes_numbers(key) and key.startswith(groups)}}


def upgrade_config(values: dict[str, Any]) -> dict[str, Any]:
    """What `fixed_config` of version 0.1 returned, under today's names."""
    groups = [name for name in ("data", "task") if str(values.get(f"{name}._target_")).startswith("trainyard.")]
    names = {old: new for old, new in RENAMED.items() if old.partition(".")[0] in groups}
    added = {key: value for key, (targets, value) in ADDED.items()
             if values.get(f"{key.rpartition('.')[0]}._target_") in targets}  # fmt: skip
    upgraded = {
        names.get(key, key): MOVED.get(value, value) if isinstance(value, str) else value
        for key, value in values.items()
        if changes_numbers(key) or key.startswith("hydra.")
    }
    return {**added, **upgraded}


def in_words(value: Any) -> str:
    """A value or distribution in a few words."""
    if isinstance(value, dict) and "attributes" in value:
        listed = ", ".join(f"{key}={each}" for key, each in value["attributes"].items() if each not in (False, None))
        return f"{str(value['name']).removesuffix('Distribution').lower()} {listed}"
    return "nothing" if value is None else str(value)


def load_study(name: str, storage: BaseStorage, pruner: BasePruner) -> optuna.Study:
    """A study to look at existing trials: it draws nothing."""
    return optuna.load_study(study_name=name, storage=storage, sampler=RandomSampler(), pruner=pruner)


def without_sampler(study: optuna.Study) -> optuna.Study:
    """The same study, which draws nothing."""
    return load_study(study.study_name, study._storage, study.pruner)


def writable_trial(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """A trial to report to and to write on, of a study that draws nothing. (Optuna has no public way to it.)"""
    return Trial(study, trial._trial_id)
