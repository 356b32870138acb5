"""An experiment in any file: experiment=outputs/sweeps/xor/best.yaml, as if it were in conf/experiment."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from trainyard.errors import UserError
from trainyard.trust.safe_yaml import read_config
from trainyard.trust.signature import COMPOSED, RESOLVED

GROUP = "experiment"
FORBIDDEN = ("hydra", "resume", "trust", "run")  # keys that only the command line may set
REFERENCE = re.compile(r"\$\{(?:[\w.]+|(?:length|product):\$\{[\w.]+\})\}")  # to another key
WRITERS = ("callbacks", "logger", "trainer", "hardware")  # groups whose parts may write files
PLACES = ("dirpath", "folder", "save_dir", "default_root_dir", "root_dir", "cache", "path", "file")  # names of keys
TRACKERS = ("wandb", "mlflow", "comet", "aim")  # options of logger
REFERABLE = (  # by these groups: keys that contain no path
    "run.dir", "monitor", "mode", "seed", "trainer.", "hardware.", "optimizer.lr", "data.batch_size",
    "data.num_classes", "data.max_length", "model.dim", "model.width",
)  # fmt: skip
READERS = ("data", "model", "task", "optimizer", "scheduler", "pretrained")  # groups whose paths are read from
ELSEWHERE = re.compile(r"^(/|~|\\|\w:[/\\])|(^|[/\\])\.\.([/\\]|$)")  # absolute, or a parent folder
_registered: dict[tuple[str, str], Any] = {}


def register_experiment_files(words: Iterable[str]) -> None:
    """Make the files of experiment=FILE.yaml known to Hydra; UserError for one that names code of its own."""
    for word in words:
        key, _, name = word.partition("=")
        name = name.strip("'\"")
        file = Path(name)
        if key.lstrip("+") == GROUP and file.suffix == ".yaml" and file.is_file():
            _register(file, name)


def _register(file: Path, name: str) -> None:
    """Check the content of the file, and store it where Hydra looks for the group's option of that name."""
    config = read_config(file)
    if file.name in (COMPOSED, RESOLVED) and {"run", "model", "data"} <= config.keys():
        raise UserError(f"{GROUP}={name} is the config of a run: like={file.parent} begins a new run with it")
    check_foreign(config, file)
    store(GROUP, name, config)


def check_foreign(config: dict[str, Any], file: Path) -> None:
    """Raise UserError if the config of an experiment in `file` names code, or writes outside of the run directory."""
    chosen = re.findall(r"/?hydra[\w/]*|[^\s']*(?:\.\.|//)[^\s']*", str(config.get("defaults")))
    if forbidden := [*(key for key in config if key in FORBIDDEN and config[key] is not None), *chosen]:
        raise UserError(f"{file} sets {forbidden[0]}, which only the command line may set")
    words = re.findall(r"\w+", f"{config.get('defaults')} {list(config.get('logger') or ())}")
    if trackers := [word for word in words if word in TRACKERS]:
        raise UserError(f"{file} chooses logger={trackers[0]}, which sends runs elsewhere: only the command line may")
    _check_names_no_code(config, file)
    _check_writes_inside({name: node for name, node in config.items() if name != "defaults"}, "", file)


def store(group: str, name: str, config: dict[str, Any]) -> None:
    """Make an experiment known to Hydra as the option `name` of a group."""
    if _registered.get((group, name)) == config:
        return
    _registered[group, name] = config
    *folders, option = [part for part in f"{group}/{name}".split("/") if part]
    node = OmegaConf.create(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Hydra 1.4 warns of a name that is stored again: the file has changed
        ConfigStore.instance().store(name=option, node=node, group="/".join(folders), package="_global_")


def _check_names_no_code(node: Any, file: Path) -> None:
    """Raise UserError for what could name code: a target outside of Trainyard and torch, or a resolver."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key == "_target_":
                from trainyard.trust.allowlist import import_allowed  # deferred: it imports torch

                import_allowed(child, "_target_", file)
            elif "${" in str(key) or (str(key).startswith("_") and key != "_partial_"):
                raise UserError(f"{file} has the key {key}, which an experiment file may not have")
            _check_names_no_code(child, file)
    elif isinstance(node, list):
        for child in node:
            _check_names_no_code(child, file)
    elif isinstance(node, str) and "${" in REFERENCE.sub("", node):
        raise UserError(
            f"{file} has the value {node}: an experiment file may refer to other keys (${{data.shape}}), nothing else"
        )


def _check_writes_inside(node: Any, key: str, file: Path) -> None:
    """Raise UserError for a value, at any depth, with which a run would write outside its own directory."""
    if isinstance(node, dict | list):
        for name, child in node.items() if isinstance(node, dict) else enumerate(node):
            _check_writes_inside(child, f"{key}.{name}".lstrip("."), file)
        return
    group, place = key.partition(".")[0], key.rpartition(".")[2] in PLACES
    if not isinstance(node, str) or (group in READERS and key != "data.cache"):
        return
    below = node.removeprefix("${run.dir}/")  # what the run writes stays in its directory
    outside = ELSEWHERE.search(below) or (place and below == node != "${run.dir}")
    if group in WRITERS:
        outside = outside or any(not name.startswith(REFERABLE) for name in re.findall(r"\$\{([\w.]+)\}", node))
    if outside:
        raise UserError(f"{file} sets {key}={node}: only the command line may say where else than in its directory a "
                        "run writes")  # fmt: skip
