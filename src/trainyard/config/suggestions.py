"""Explain mistyped overrides."""

import re
from collections.abc import Iterator

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, InterpolationKeyError, OmegaConfBaseException

from trainyard.config.composition import COMPOSITION_ERRORS, compose_overrides
from trainyard.config.user_conf import package_conf, user_conf
from trainyard.config_keys import RENAMED
from trainyard.errors import UserError, did_you_mean

EXTRAS = ("joblib", "submitit", "ray")  # of launchers: hydra/launcher=submitit_slurm is of submitit


def explain_composition_error(error: Exception, overrides: list[str]) -> str:
    """Return why nothing can be composed from `overrides`, with the override that was probably meant."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_option(error)
    text = str(error)
    if isinstance(error, OverrideParseException) and "=" not in error.override:
        return f"{error.override} is no override: write group=option or key=value"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} cannot be parsed: {text.splitlines()[0]}; put quotes around commas, spaces and brackets"
        )
    refused = re.search(r"Could not (?:override|append|delete)[^']*'([^']+)'|Multiple values for (\S+)\.", text)
    if not refused:
        return text
    key = (refused[1] or refused[2]).lstrip("+~").split("@")[0]
    if any(re.match(rf"\+{re.escape(key)}[@=]", word) for word in overrides):
        return f"{key} is a key of the config already, and + only adds others: write {key}=... without it."
    return text if refused[2] or "The value of" in text else _unknown_key(key, overrides)


def fitting_options(group: str, word: str, reader: str) -> list[str]:
    """The options of `group`, Trainyard's and the user's, with which the part `reader` finds all facts beside `word`.

    (What such an option needs besides, a folder of data, say, is not looked for.)
    """
    return [option for option in _options(group) if _has_all_facts([word, f"{group}={option}"], reader)]


def _options(group: str) -> list[str]:
    folders = [folder / group for folder in (package_conf(), user_conf()) if folder]
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def _has_all_facts(words: list[str], reader: str) -> bool:
    try:
        node = compose_overrides(words).cfg[reader]
        OmegaConf.to_container(node, resolve=True)
        return not OmegaConf.is_missing(node, "_target_")  # of what is to be named, nothing is known
    except (InterpolationKeyError, *COMPOSITION_ERRORS):
        return False
    except (UserError, OmegaConfBaseException):  # a value that is to be given
        return True


def _missing_option(error: MissingConfigException) -> str:
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    if option.endswith(".yaml"):
        group, _, folder = group.partition("/")
        return f"{group}={f'{folder}/' if folder else ''}{option}: there is no such file, and none in conf/{group}"
    if group == "hydra/launcher" and (extra := option.partition("_")[0]) in EXTRAS:
        return f"{group}={option} needs a package that is not installed: pip install 'trainyard[{extra}]'"
    options = [str(name) for name in error.options or []] or _options(group)
    listed = f" Choose one of {', '.join(options)}." if options else ""
    return f"{group}={option} is not an option.{did_you_mean(option, options)}{listed}"


def _unknown_key(key: str, overrides: list[str]) -> str:
    if key in RENAMED:
        return f"{key} is now called {RENAMED[key]}."
    others = [word for word in overrides if word.lstrip("+~").split("=")[0].split("@")[0] != key]
    known = list(_known_keys(others))
    hint = did_you_mean(key, known)
    parent = key.rpartition(".")[0]
    siblings = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == parent and "._" not in name]
    listed = f" {parent} has {', '.join(siblings)}." if parent and siblings and not hint else ""
    is_built = f"{parent}._target_" in known and not key.startswith("hydra.")
    added = f" +{key}=... adds it." if listed and is_built else ""
    return f"{key} is not a key of the config.{hint}{listed}{added} --cfg job shows all keys."


def _known_keys(overrides: list[str]) -> Iterator[str]:
    """Every dotted key of the config with these overrides, or without them where they cannot be composed."""
    single = [word for word in overrides if not set("(,") & set(word)]  # without what a sweep varies
    for words in (overrides, single, []):
        try:
            composed = compose_overrides(words)
            break
        except (*COMPOSITION_ERRORS, UserError, ConfigKeyError):
            continue
    else:
        return
    yield from _dotted_keys(composed.cfg, "")
    yield from _dotted_keys(composed.sweeper, "hydra.sweeper.")
    yield from (group for group in composed.choices if not group.startswith("hydra"))


def _dotted_keys(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in node:
        yield f"{prefix}{key}"
        child = node._get_node(key)  # without resolving it
        if isinstance(child, DictConfig) and not child._is_none():
            yield from _dotted_keys(child, f"{prefix}{key}.")
