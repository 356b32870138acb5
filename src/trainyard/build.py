"""The one door from config to objects: below it there are plain Python objects and no Hydra."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from trainyard.errors import UserError, did_you_mean

_instantiate = partial(instantiate, _convert_="all")  # plain lists and dicts: torch chokes on OmegaConf's
_WHITELIST = "_execution_whitelist_"  # Hydra 1.4 asks which targets may be called, 1.3 knows no such argument
_ASKS = _WHITELIST in signature(instantiate).parameters


def build(node: DictConfig, label: str, **objects: Any) -> Any:
    """The object that `node` describes, given ready-made `objects` besides. `label` names the node in errors.

    Whatever the config names is called: it is the user's own, or `reliability.foreign` has checked it.
    """
    allowed = {_WHITELIST: sorted(_targets(node))} if _ASKS else {}
    try:
        return _instantiate(node, **objects, **allowed)
    except Exception as error:  # Hydra 1.3 wraps what a target raises, 1.4 lets it through
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, TypeError):
            raise UserError(f"{label}: {_wrong_argument(node, cause)}") from error
        text = (str(cause).splitlines() or [""])[0] if cause is error else str(cause)
        told = isinstance(cause, ValueError | OSError | InstantiationException | ImportError | RuntimeError)
        if not text or not told:
            text = f"{type(cause).__name__}: {text}".removesuffix(": ")
        raise UserError(f"{label}: {text}") from error


def _targets(node: Any) -> set[str]:
    """Every target in a config."""
    if isinstance(node, Mapping):
        own = {node["_target_"]} if isinstance(node.get("_target_"), str) else set()
        return own.union(*(_targets(child) for child in node.values()))
    return set().union(*map(_targets, node)) if isinstance(node, Sequence) and not isinstance(node, str) else set()


def _wrong_argument(node: DictConfig, cause: TypeError) -> str:
    """What a constructor said about its arguments, with the name that was probably meant."""
    text = str(cause)
    if "unexpected keyword argument" not in text:
        return text
    word = text.split("'")[-2]
    module, _, name = node["_target_"].rpartition(".")
    known = [key for key in signature(getattr(import_module(module), name)).parameters if key != "self"]
    return f"{name} takes no argument {word}.{did_you_mean(word, known)} It takes {', '.join(known)}."
