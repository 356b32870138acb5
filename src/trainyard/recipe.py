"""A recipe in any file: experiment=outputs/sweeps/xor/best.yaml, as if it lay in conf/experiment."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from trainyard.errors import UserError
from trainyard.reliability.plain import read_config

GROUP = "experiment"
_offered: dict[str, Any] = {}
NEVER = ("hydra", "resume", "trust", "run")
REFERENCE = re.compile(r"\$\{(?:[\w.]+|(?:length|product):\$\{[\w.]+\})\}")  # to another key


def offer_recipes(words: Iterable[str]) -> None:
    """Make the files that experiment=FILE.yaml names known to Hydra; UserError for one that names code of its own."""
    for word in words:
        key, _, name = word.partition("=")
        name = name.strip("'\"")
        file = Path(name)
        if key.lstrip("+") == GROUP and file.suffix == ".yaml" and file.is_file():
            offer(file, name)


def offer(file: Path, name: str) -> None:
    """Put the file's content where Hydra looks for the group's option of that name."""
    config = read_config(file)
    if told := [key for key in config if key in NEVER]:
        raise UserError(f"{file} sets {told[0]}, which a recipe may not; say that on the command line")
    check_plain(config, file)
    if _offered.get(name) == config:
        return
    _offered[name] = config
    *folders, option = [part for part in f"{GROUP}/{name}".split("/") if part]
    node = OmegaConf.create(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Hydra 1.4 warns of a name that is stored anew: the file has changed
        ConfigStore.instance().store(name=option, node=node, group="/".join(folders), package="_global_")


def check_plain(node: Any, file: Path) -> None:
    """UserError for what in a recipe could name code: a target outside of Trainyard and torch, or a resolver."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key == "_target_":
                from trainyard.reliability.foreign import found_class  # late: it imports torch

                found_class(child, "_target_", file)
            elif "${" in str(key) or (str(key).startswith("_") and key != "_partial_"):
                raise UserError(f"{file} has the key {key}, which a recipe may not")
            check_plain(child, file)
    elif isinstance(node, list):
        for child in node:
            check_plain(child, file)
    elif isinstance(node, str) and "${" in REFERENCE.sub("", node):
        raise UserError(f"{file} says {node}: a recipe may refer to other keys, ${{data.shape}}, and to nothing else")
