"""Packages that only some commands need: the optional dependencies of pyproject.toml."""

from importlib import import_module
from typing import Any

from trainyard.errors import UserError


def import_extra(module: str, extra: str) -> Any:
    """The module; UserError that names the extra to install if its package is not there."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise UserError(f"{package} is not installed: pip install 'trainyard[{extra}]'") from error
