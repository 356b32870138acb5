"""Check that overrides have the type of what they replace: a word for a number, a number for a list."""

from collections.abc import Iterable, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainyard.config.compose import compose
from trainyard.config.composition import Composed
from trainyard.config_keys import flatten
from trainyard.errors import UserError, did_you_mean

NUMBERS = {int, float}
AUTO = ("hardware.devices", "hardware.num_nodes")  # numbers, or auto
PLAIN = {
    "seed": {int},
    "hardware.threads": {int, NoneType},
    "hardware.num_workers": {int},
    "scheduler.warmup_steps": {int, NoneType},
    "scheduler.warmup_epochs": {float, NoneType},
}  # keys of no constructor


def check_override_types(composed: Composed) -> None:
    """Raise UserError for an override of another type than its default, or than the constructor takes."""
    chosen = [word for word in composed.overrides if word.partition("=")[0] in composed.choices]
    words = [word for word in composed.overrides if word not in chosen]
    check_types(words, composed.cfg, compose(chosen).cfg)


def check_types(words: Iterable[str], cfg: DictConfig, defaults: DictConfig) -> None:
    """Raise UserError if a word's value in `cfg` is of another type than in `defaults`."""
    for word in words:
        key = word.partition("=")[0].lstrip("+")
        value, default = _select(cfg, key), _select(defaults, key)
        if value is None or (key in AUTO and value == "auto"):
            continue
        if isinstance(default, bool) and str(value).lower() in ("yes", "no", "on", "off", "y", "n"):
            raise UserError(f"{key}={value} must be true or false, like its default {str(default).lower()}")
        wanted = _wanted(value, default, _taken(cfg, key))
        if wanted and "${oc.env:" in word:  # a text, whatever it looks like
            raise UserError(f"{word} is the text {value}; {key}='${{oc.decode:${{oc.env:NAME}}}}' reads it as a number")
        if wanted:
            shown = OmegaConf.to_container(default) if OmegaConf.is_list(default) else default
            raise UserError(f"{key}={value} must be {wanted}, like its default {'null' if default is None else shown}")


def with_overrides(cfg: DictConfig, words: Sequence[str], label: str) -> DictConfig:
    """A resolved config with overrides; UserError for a key that it lacks (unless with +), and for a wrong type."""
    known = flatten(OmegaConf.to_container(cfg))
    for word in words:
        key = word.partition("=")[0]
        if not key.startswith("+") and OmegaConf.select(cfg, key, default=known) is known:
            raise UserError(f"{label}{key} is not a key of its config.{did_you_mean(key, known)}")
    changed = OmegaConf.merge(cfg, OmegaConf.from_dotlist([word.removeprefix("+") for word in words]))
    assert isinstance(changed, DictConfig)
    check_types(words, changed, cfg)
    return changed


def _select(cfg: DictConfig, key: str) -> Any:
    """The value of a key; None where there is none, or where it refers to what is missing."""
    try:
        return OmegaConf.select(cfg, key, default=None)
    except OmegaConfBaseException:
        return None


def _wanted(value: Any, default: Any, taken: set[Any]) -> str:
    """What a value should be instead; empty if nothing is known to be wrong with it."""
    if OmegaConf.is_list(default):
        return "" if OmegaConf.is_list(value) else "a list"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    wants_number = isinstance(default, int | float) and not isinstance(default, bool) and str not in taken
    if default is None and taken & NUMBERS and taken <= {*NUMBERS, bool, NoneType}:
        wants_number = not (isinstance(value, bool) and bool in taken)
    if isinstance(value, float) and taken & NUMBERS == {int} and taken <= {int, NoneType}:
        return "a whole number"
    return "a number" if wants_number and not is_number and not isinstance(value, bool) else ""


def _taken(cfg: DictConfig, key: str) -> set[Any]:
    """The types that the constructor takes for a key, as far as it says so."""
    if key in PLAIN:
        return PLAIN[key]
    parent, _, name = key.rpartition(".")
    node = _select(cfg, parent) if parent else None
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    try:
        found = get_object(str(target)) if target else None
        makers = [part.__init__ for part in found.__mro__[:-1]] if isinstance(found, type) else [found]
        hint = next(hints[name] for maker in makers if name in (hints := get_type_hints(maker)))
    except Exception:  # whatever importing it raises is explained when it is built
        return set()
    return set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}
