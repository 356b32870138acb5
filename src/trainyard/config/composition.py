"""Compose a config with Hydra. Mistakes raise Hydra's own errors, which `compose.py` explains."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from trainyard.config import resolvers
from trainyard.config.experiment_file import register_experiment_files
from trainyard.config.user_conf import add_user_modules, package_conf

CONFIG_NAME = "train"  # conf/train.yaml
# Hydra 1.4 deprecates the argument.
VERSION_BASE = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}
VALUE = re.compile(r"\w+\.[\w.]+=")  # an override of a key below a group
COMPOSITION_ERRORS = (ConfigCompositionException, MissingConfigException, OverrideParseException)
resolvers.register()


@dataclass(frozen=True)
class Composed:
    """A config with unresolved interpolations, and the choices and overrides that it was composed from."""

    cfg: DictConfig
    choices: dict[str, str] = field(default_factory=dict)  # config group: chosen option
    overrides: list[str] = field(default_factory=list)  # as typed
    job_dir: str | None = None  # where a sweep wants this run; None leaves it to the run
    sweeper: DictConfig = field(default_factory=lambda: DictConfig({}))  # hydra.sweeper


@contextmanager
def _initialized() -> Iterator[None]:
    """Initialize Hydra temporarily, and restore the global state of a running job or notebook afterwards."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(package_conf()), **VERSION_BASE):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def addable(words: list[str]) -> list[str]:
    """The same words; those beside resume=RUN may set keys that only that run's config has, as data.root is one."""
    if not any(word.startswith("resume=") and word != "resume=null" for word in words):
        return words
    return [f"++{word}" if VALUE.match(word) and not word.startswith("hydra") else word for word in words]


def compose_overrides(overrides: list[str]) -> Composed:
    """Compose with Hydra's Compose API, raising Hydra's own errors."""
    add_user_modules()
    register_experiment_files(overrides)
    with _initialized():
        cfg = hydra.compose(CONFIG_NAME, addable(overrides), return_hydra_config=True)
    choices, sweeper = dict(cfg.hydra.runtime.choices), OmegaConf.to_container(cfg.hydra.sweeper, resolve=True)
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    OmegaConf.set_struct(cfg, True)
    return Composed(cfg, choices, list(overrides), sweeper=DictConfig(sweeper))


def from_hydra(cfg: DictConfig) -> Composed:
    """Return the config of the job that Hydra is running."""
    job = HydraConfig.get()
    job_dir = job.runtime.output_dir if job.mode == RunMode.MULTIRUN else None
    return Composed(cfg, dict(job.runtime.choices), list(job.overrides.task), job_dir, job.sweeper)
