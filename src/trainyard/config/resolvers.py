"""Functions that the config files call as `${name:...}`."""

import json
from math import prod
from pathlib import Path
from secrets import token_hex
from typing import Any

import omegaconf
from omegaconf import OmegaConf

from trainyard.config.directions import direction
from trainyard.data.loading.columns import facts
from trainyard.errors import UserError
from trainyard.files import read_small


def subfolders(path: str) -> list[str]:
    """The sorted names of the folders in `path`, which are the classes of an image or text folder."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; data.root must contain train/CLASS/ and test/CLASS/")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise UserError(f"{folder} contains no folder; it should contain one folder per class")
    return names


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in a file, such as the config.json of a network of Hugging Face's."""
    file = Path(path).expanduser()
    try:
        content = json.loads(read_small(file))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} contains no JSON object")
    return {key: value for key, value in content.items() if not key.startswith("_")}  # _name_or_path


def targets_of(task: str) -> str:
    """The kind of targets that a task takes, by the import path of its class."""
    return {"Regression": "numbers", "Multilabel": "labels"}.get(task.rpartition(".")[2], "classes")


def table(key: str, *, _parent_: Any) -> Any:
    """A fact of the table that a config group of data describes: shape, classes, num_classes or outputs."""
    try:
        return facts(_parent_)[key]
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error


def has_classes(root: Any) -> bool:
    """Whether the task of a config is for classes, so that whole numbers are some."""
    return targets_of(str(OmegaConf.select(root, "task._target_"))) == "classes"


def dataset(key: str, *, _parent_: Any, _root_: Any) -> Any:
    """A fact of the map-style dataset that a config group of data names: shape, classes, num_classes, num_outputs."""
    from trainyard.config.dataset_facts import known_facts  # which imports torch

    return known_facts(_parent_, has_classes(_root_))[key]


def hf(key: str, *, _parent_: Any, _root_: Any) -> Any:
    """A fact of the table of Hugging Face's datasets that a config group of data describes."""
    from trainyard.config.dataset_facts import table_facts  # which imports torch

    return table_facts(_parent_, has_classes(_root_))[key]


def register() -> None:
    """Make the resolvers known to OmegaConf; can be called again."""
    is_2_3 = omegaconf.__version__.startswith("2.3.")  # where register_resolver was something else
    add: Any = OmegaConf.register_new_resolver if is_2_3 else OmegaConf.register_resolver
    add("json", read_json, replace=True)
    add("direction", direction, replace=True)
    add("length", len, replace=True)
    add("product", prod, replace=True)
    add("subfolders", subfolders, replace=True)
    add("dataset", dataset, replace=True)
    add("hf", hf, replace=True)
    add("table", table, replace=True)
    add("targets_of", targets_of, replace=True)
    add("token", lambda: token_hex(3), use_cache=True, replace=True)
