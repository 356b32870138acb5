"""From words on the command line to one config: where the config folders lie, and what a typo is answered."""

import argparse
import os
import re
import sys
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace
from typing import Any

import hydra
import omegaconf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, MissingMandatoryValue

from trainyard.errors import UserError, causes
from trainyard.recipe import offer_recipes
from trainyard.typos import explain

NAME = "train"
_base = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}  # Hydra 1.4 deprecates the argument
_named = SimpleNamespace(folder=None)  # what --config-dir named


@dataclass(frozen=True)
class Composed:
    """A config, and how it came about."""

    cfg: DictConfig
    choices: dict[str, str] = field(default_factory=dict)  # config group -> chosen option
    overrides: list[str] = field(default_factory=list)
    folder: str | None = None  # where a sweep wants this run; None leaves it to the run
    sweeper: DictConfig = field(default_factory=lambda: DictConfig({}))  # hydra.sweeper


def subfolders(path: str) -> list[str]:
    """The names of the folders in `path`: an image folder's classes."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; data.root should hold train/CLASS/*.png and test/CLASS/*.png")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise UserError(f"{folder} holds no folder: it should have one of images for each class")
    return names


_old = omegaconf.__version__.startswith("2.3.")  # where register_resolver was something else
_register: Any = OmegaConf.register_new_resolver if _old else OmegaConf.register_resolver
_register("length", len, replace=True)
_register("product", prod, replace=True)
_register("subfolders", subfolders, replace=True)
_register("token", lambda: token_hex(3), use_cache=True, replace=True)


def package_conf() -> Path:
    """Trainyard's own conf/: inside the installed package, or at the top of a checkout."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "conf"


def name_own_conf(folder: str | None) -> None:
    """Take `folder` as the user's own conf folder; UserError if it is not there."""
    if folder and not Path(folder).is_dir():
        raise UserError(f"--config-dir {folder} is not a folder")
    _named.folder = folder


def named_conf() -> str | None:
    """What --config-dir named."""
    return _named.folder


def own_conf() -> Path | None:
    """The user's conf folder: the one named with --config-dir, else ./conf if it is there and not Trainyard's."""
    folder = Path(_named.folder or "conf").resolve()
    return folder if folder.is_dir() and folder != package_conf().resolve() else None


def run_hydra(task: Any, argv: list[str]) -> None:
    """Hand the command line to Hydra, which calls `task` once, or once for each job of a sweep."""
    sys.argv = [sys.argv[0], *_take_config_dir(argv)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing: `explain` says it better
    import_beside_own_conf()
    offer_recipes(sys.argv[1:])
    try:
        hydra.main(config_path=str(package_conf()), config_name=NAME, **_base)(task)()
    except (ConfigCompositionException, MissingConfigException, OverrideParseException) as error:
        words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
        raise UserError(explain(error, words, compose)) from error


def _take_config_dir(argv: list[str]) -> list[str]:
    """The words but for --config-dir DIR, which is remembered. (Hydra's own would let Trainyard's files win.)"""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    options, rest = parser.parse_known_args(argv)
    name_own_conf(options.config_dir)
    return rest


def import_beside_own_conf() -> None:
    """Make the modules beside the user's conf folder importable, after everything that is installed."""
    own = own_conf()
    if own and str(own.parent) not in sys.path:
        sys.path.append(str(own.parent))


def from_hydra(cfg: DictConfig) -> Composed:
    """What Hydra composed for the job that it is running."""
    job = HydraConfig.get()
    folder = job.runtime.output_dir if job.mode == RunMode.MULTIRUN else None
    return Composed(cfg, dict(job.runtime.choices), list(job.overrides.task), folder)


def compose(overrides: list[str]) -> Composed:
    """Compose without a command line, as notebooks and tests do."""
    import_beside_own_conf()
    offer_recipes(overrides)
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(package_conf()), **_base):
            cfg = hydra.compose(NAME, overrides, return_hydra_config=True)
    except (ConfigCompositionException, MissingConfigException, OverrideParseException) as error:
        raise UserError(explain(error, overrides, compose)) from error
    choices, sweeper = dict(cfg.hydra.runtime.choices), cfg.hydra.sweeper
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    OmegaConf.set_struct(cfg, True)
    return Composed(cfg, choices, list(overrides), sweeper=sweeper)


def resolve(composed: Composed) -> DictConfig:
    """The config with every interpolation replaced; UserError for a fact that a network needs and the data lacks."""
    cfg, choices = composed.cfg, composed.choices
    try:
        return DictConfig(OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True))
    except InterpolationKeyError as error:
        fact = re.search(r"Interpolation key '([^']+)'", str(error))
        group = str(error.full_key).split(".")[0]
        if fact is None or group not in choices:
            raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
        node, _, _ = fact[1].partition(".")
        have = ", ".join(str(key) for key in cfg[node] if not str(key).startswith("_"))
        raise UserError(
            f"{group}={choices[group]} does not fit {node}={choices.get(node)}: it needs {fact[1]}, and "
            f"{node}={choices.get(node)} has only {have}."
        ) from error
    except (MissingMandatoryValue, InterpolationResolutionError) as error:
        for cause in causes(error):
            if isinstance(cause, UserError):  # from a resolver of ours
                raise cause from error
        missing = re.search(r"[Mm]issing mandatory value: (\S+)", str(error))
        if missing is None:
            raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
        raise UserError(f"{missing[1]} has no value yet: give it as {missing[1]}=...") from error
