"""A recipe in any file: experiment=outputs/sweeps/xor/best.yaml, as if it lay in conf/experiment."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

GROUP = "experiment"


def offer_recipes(words: Iterable[str]) -> None:
    """Make the files that experiment=FILE.yaml names known to Hydra; UserError for one that names code of its own."""
    for word in words:
        key, _, name = word.partition("=")
        file = Path(name.strip("'\""))
        if key.lstrip("+") == GROUP and file.suffix == ".yaml" and file.is_file():
            offer(file, name.strip("'\""))


def offer(file: Path, name: str) -> None:
    """Put the file's content where Hydra looks for the group's option of that name."""
    from trainyard.reliability.foreign import read_config  # late: it imports torch

    config = read_config(file)
    check_targets(config, file)
    *folders, option = [part for part in f"{GROUP}/{name}".split("/") if part]
    ConfigStore.instance().store(
        name=option, node=OmegaConf.create(config), group="/".join(folders), package="_global_"
    )


def check_targets(node: Any, file: Path) -> None:
    """UserError for a target in a recipe outside of Trainyard and torch."""
    from trainyard.reliability.foreign import found_class

    if isinstance(node, dict):
        if "_target_" in node:
            found_class(node["_target_"], "_target_", file)
        for child in node.values():
            check_targets(child, file)
    elif isinstance(node, list):
        for child in node:
            check_targets(child, file)
