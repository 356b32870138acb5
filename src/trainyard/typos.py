"""What a typo on the command line is answered."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError

from trainyard.errors import UserError, did_you_mean

Compose = Callable[[list[str]], Any]  # words to a composed config: `compose.compose`


def explain(error: Exception, overrides: list[str], compose: Compose) -> str:
    """A sentence or two on why nothing could be composed, with what was probably meant."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if option.endswith(".yaml"):
            group, _, folder = group.partition("/")
            return f"{group}={f'{folder}/' if folder else ''}{option}: there is no such file, and none in conf/{group}"
        options = [str(name) for name in error.options or []]
        listed = f" Choose one of {', '.join(options)}." if options else ""
        return f"{group}={option} is not a choice.{did_you_mean(option, options)}{listed}"
    text = str(error)
    refused = re.search(r"Could not (?:override|append|delete)[^']*'([^']+)'", text)
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read: {text.splitlines()[0]}; quote what holds commas, spaces or brackets"
    if refused is None:
        return text
    key = refused[1].lstrip("+~").split("@")[0]
    others = [word for word in overrides if word.lstrip("+~").split("=")[0].split("@")[0] != key]
    known = list(known_keys(others, compose))
    hint = did_you_mean(key, known)
    parent = key.rpartition(".")[0]
    beside = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == parent and "._" not in name]
    listed = f" {parent} has {', '.join(beside)}." if parent and beside and not hint else ""
    return f"{key} is not a key of the config.{hint}{listed} --cfg job shows all there are."


def known_keys(overrides: list[str], compose: Compose) -> Iterator[str]:
    """Every dotted key that the config has with these overrides (those of groups alone, where one is wrong)."""
    single = [word for word in overrides if not set("(,") & set(word)]  # without what a sweep varies
    for words in (overrides, single, []):
        try:
            composed = compose(words)
            break
        except (UserError, ConfigKeyError):
            continue
    else:
        return

    def walk(node: DictConfig, prefix: str) -> Iterator[str]:
        for key in node:
            yield f"{prefix}{key}"
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none():
                yield from walk(child, f"{prefix}{key}.")

    yield from walk(composed.cfg, "")
    yield from walk(composed.sweeper, "hydra.sweeper.")
    yield from (group for group in composed.choices if not group.startswith("hydra"))


def check_types(composed: Any, compose: Compose) -> None:
    """UserError for an override whose kind differs from its default's: a word for a number, a number for a list."""
    chosen = [word for word in composed.overrides if word.partition("=")[0] in composed.choices]
    usual = compose(chosen).cfg
    for word in composed.overrides:
        key = word.partition("=")[0]
        value, default = (OmegaConf.select(cfg, key, default=None) for cfg in (composed.cfg, usual))
        if word in chosen or value is None or default is None:
            continue
        number = isinstance(default, int | float) and not isinstance(default, bool)
        if (number and isinstance(value, str)) or (OmegaConf.is_list(default) and not OmegaConf.is_list(value)):
            shown = OmegaConf.to_container(default) if OmegaConf.is_list(default) else default
            raise UserError(f"{key}={value} is not {'a number' if number else 'a list'} like its default {shown}")
