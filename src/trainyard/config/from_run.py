"""A run's config as an experiment: the choices of groups, and the values that differ from theirs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from omegaconf import OmegaConf

from trainyard.config.composition import compose_overrides
from trainyard.config_keys import changes_numbers, flatten, unflatten

SETS = ("experiment", "sweep", "like")  # groups of values for other groups, which are taken over as such
OF_ONE_RUN = ("profile", "tune")  # groups that say what else is done with a run
FIRST = ("model", "data")  # groups whose options may choose the other ones: data=imdb_lm sets the task
NAMED = ("callbacks", "logger")  # groups of parts by name; one that is null is left out


def experiment_from_run(
    chosen: Mapping[str, Any], config: Mapping[str, Any], is_kept: Callable[[str, Any], bool], given: Iterable[str] = ()
) -> dict[str, Any]:
    """The run that `chosen` (choices of groups) and `config` (as composed) describe, without the keys not `is_kept`.

    A group that the overrides `given` choose anew, or that follows from one, begins with that option's own values.
    """
    chosen = own_choices(chosen)
    implied = compose_overrides(_words({group: chosen[group] for group in FIRST if group in chosen})).choices
    chosen = {group: choice for group, choice in chosen.items() if group in implied}
    base = compose_overrides(_words(chosen)).cfg
    there, usually_there = flatten(dict(config)), flatten(OmegaConf.to_container(base))
    values = {key: value for key, value in there.items() if key not in usually_there or usually_there[key] != value}
    values = {key: value for key, value in values.items() if key.partition(".")[0] not in OF_ONE_RUN}
    for group in NAMED:
        values |= {f"{group}.{name}": None for name in base.get(group) or {} if name not in (config.get(group) or {})}
    needed = {group: choice for group, choice in chosen.items() if group in FIRST or choice != implied[group]}
    replaced = _replaced(chosen, needed, list(given))
    choices = [{f"override /{group}": choice} for group, choice in needed.items() if group not in replaced]
    kept = {
        key: value for key, value in values.items() if is_kept(key, value) and key.partition(".")[0] not in replaced
    }
    return {**({"defaults": choices} if choices else {}), **unflatten(kept)}


def own_choices(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The choices that the config consists of: neither sets of values for others, nor Hydra's own.

    A group without a choice is left out: task=lightning, which is one, has no optimizer.
    """
    own = {
        group: choice
        for group, choice in chosen.items()
        if group not in (*SETS, *OF_ONE_RUN) and not group.startswith("hydra")
    }
    return {group: choice for group, choice in own.items() if choice is not None}


def is_portable(key: str, _value: Any) -> bool:
    """Whether a key belongs to the experiment on any machine: what the scores depend on, and how the data are read."""
    return (changes_numbers(key) or key.startswith("data.")) and key != "data.cache"


def _words(choices: Mapping[str, Any]) -> list[str]:
    """The choices as overrides."""
    return [f"{group}={choice}" for group, choice in choices.items()]


def _replaced(chosen: Mapping[str, Any], needed: Mapping[str, Any], given: list[str]) -> set[str]:
    """The groups that `given` chooses, and those whose choice follows from one and is no longer that of the run."""
    if not given:
        return set()
    groups = {word.partition("=")[0].partition("@")[0] for word in given}
    single = [word for word in given if not set("(,") & set(word)]  # without what a sweep varies
    after = compose_overrides(
        [*_words({group: choice for group, choice in needed.items() if group not in groups}), *single]
    ).choices
    return groups | {group for group, choice in chosen.items() if after.get(group) != choice}
