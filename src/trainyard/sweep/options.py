"""The options of a sweep, hydra.sweeper.*, read from the composed config."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from trainyard.config.multirun import HERE
from trainyard.errors import UserError
from trainyard.sweep.heartbeat import INTERVAL
from trainyard.sweep.sampler import PointSampler, all_points
from trainyard.sweep.space import Space
from trainyard.sweep.storage import locate

DIRECTIONS = {"min": "minimize", "max": "maximize"}
SMALLEST = {"n_trials": 1, "n_jobs": 1, "refit": 0, "grace": 3 * INTERVAL, "max_failure_rate": 0}
EVERY = ("n_trials", "n_jobs")  # null: as many as there are combinations, or one
PLAIN = {"sampler": PointSampler.__name__, "pruner": "NopPruner"}  # what is chosen without a search


@dataclass(frozen=True)
class Options:
    """The keys of conf/hydra/sweeper/trainyard.yaml, checked."""

    is_search: bool  # of sweep=search, whose trials are ranked and pruned; else of jobs, each of which is tested
    folder: Path  # hydra.sweep.dir
    location: str  # of the storage
    study: str
    objectives: dict[str, str]  # score: min or max
    params: dict[str, Any]
    baseline: bool
    n_trials: int
    n_jobs: int
    timeout: float
    execution: str
    slots: list[dict[str, str]]
    max_failure_rate: float
    grace: float
    refit: int
    plots: bool
    dry_run: bool

    @property
    def noun(self) -> str:
        """What one training of it is called."""
        return "trial" if self.is_search else "job"


def read_options(config: DictConfig, space: Space) -> Options:
    """Read and check the options of a sweep over the space; UserError for an invalid value."""
    node: dict[str, Any] = {
        key: plain(value) for key, value in config.hydra.sweeper.items() if key not in ("sampler", "pruner")
    }
    folder = Path(config.hydra.sweep.dir).absolute()
    if not node["objectives"] and config.monitor is None:
        raise UserError(
            "a sweep ranks its runs by a score, and monitor=null names none; set monitor=NAME mode=min or max"
        )
    objectives = node["objectives"] or {config.monitor: config.mode}
    if config.get("tune"):
        chosen = config.hydra.runtime.choices.get("tune")
        raise UserError(f"tune={chosen} looks for one value and makes no run: leave out -m")
    searches = is_search(config)
    _check(node, config, objectives, searches)
    execution = _execution(node["execution"], config.hydra.runtime.choices["hydra/launcher"])
    n_trials = node["n_trials"] or len(all_points(space))
    every_job = n_trials if execution == "launcher" and not searches else 1
    return Options(
        is_search=searches,
        folder=folder,
        location=locate(node["storage"], folder),
        study=str(node["study"]),
        objectives=objectives,
        params=node["params"] or {},
        baseline=node["baseline"],
        n_trials=n_trials,
        n_jobs=node["n_jobs"] or every_job,
        timeout=float(node["timeout"] or "inf"),
        execution=execution,
        slots=[{key: str(value) for key, value in slot.items()} for slot in node["slots"] or []],
        max_failure_rate=float(node["max_failure_rate"]),
        grace=float(node["grace"]),
        refit=node["refit"],
        plots=node["plots"],
        dry_run=node["dry_run"],
    )


def plain(node: Any) -> Any:
    """A list or mapping of the config as a plain one."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def is_search(config: DictConfig) -> bool:
    """Whether the config has the callback of sweep=search."""
    return bool((config.get("callbacks") or {}).get("pruning"))


def _check(node: dict[str, Any], config: DictConfig, objectives: dict[str, str], searches: bool) -> None:
    for name, mode in objectives.items():
        if mode not in DIRECTIONS:
            raise UserError(f"hydra.sweeper.objectives: the mode of {name} is {mode}; it must be min or max")
    for key, smallest in SMALLEST.items():
        if node[key] is None and key in EVERY:
            continue
        if not isinstance(node[key], int | float):
            raise UserError(f"hydra.sweeper.{key}={node[key]} is not a number")
        if node[key] < smallest:
            raise UserError(f"hydra.sweeper.{key}={node[key]} must be at least {smallest}")
    if len(objectives) > 1 and node["refit"]:
        raise UserError(f"hydra.sweeper.refit={node['refit']}: {len(objectives)} objectives have no single best trial")
    if config.resume or (config.check and searches):
        raise UserError("check=true and resume=... are for one training; leave them out of a sweep")
    if not searches:
        _check_jobs(node, config)


def _check_jobs(node: dict[str, Any], config: DictConfig) -> None:
    """Raise UserError for what only a search has."""
    parts = {kind: config.hydra.sweeper[kind]._target_ for kind in PLAIN}
    if other := [kind for kind, name in PLAIN.items() if not str(parts[kind]).endswith(f".{name}")]:
        raise UserError(
            f"hydra/sweeper/{other[0]}=... is for a search: add sweep=search, or start the defaults of your own search "
            "space with - search"
        )
    if searched := [key for key in ("refit", "baseline") if node[key]]:
        raise UserError(f"hydra.sweeper.{searched[0]}={node[searched[0]]} is for a search: add sweep=search")


def _execution(given: str | None, launcher: str) -> str:
    if given not in (None, "process", "launcher"):
        raise UserError(f"hydra.sweeper.execution={given} must be process or launcher")
    if given == "process" and launcher != HERE:
        raise UserError(f"hydra/launcher={launcher} runs nothing with hydra.sweeper.execution=process; leave one out")
    return given or ("process" if launcher == HERE else "launcher")
