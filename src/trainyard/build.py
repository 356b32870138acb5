"""The one door from config to objects: below it there are plain Python objects and no Hydra."""

from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from trainyard.errors import UserError, did_you_mean

_instantiate = partial(instantiate, _convert_="all")  # plain lists and dicts: torch chokes on OmegaConf's


def build(node: DictConfig, label: str, **objects: Any) -> Any:
    """The object that `node` describes, given ready-made `objects` besides. `label` names the node in errors."""
    try:
        return _instantiate(node, **objects)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, TypeError):
            raise UserError(f"{label}: {_wrong_argument(node, cause)}") from error
        text = str(cause).splitlines()[0] if cause is error else str(cause)
        if not isinstance(cause, ValueError | OSError | InstantiationException | ImportError | RuntimeError):
            text = f"{type(cause).__name__}: {text}"
        raise UserError(f"{label}: {text}") from error


def _wrong_argument(node: DictConfig, cause: TypeError) -> str:
    """What a constructor said about its arguments, with the name that was probably meant."""
    text = str(cause)
    if "unexpected keyword argument" not in text:
        return text
    word = text.split("'")[-2]
    module, _, name = node["_target_"].rpartition(".")
    known = [key for key in signature(getattr(import_module(module), name)).parameters if key != "self"]
    return f"{name} takes no argument {word}.{did_you_mean(word, known)} It takes {', '.join(known)}."
