"""The options of a sweep, hydra.sweeper.*, read from the composed config."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from trainyard.config.multirun import HERE
from trainyard.errors import UserError
from trainyard.sweep.heartbeat import INTERVAL
from trainyard.sweep.storage import locate

DIRECTIONS = {"min": "minimize", "max": "maximize"}
SMALLEST = {"n_trials": 1, "n_jobs": 1, "refit": 0, "grace": 3 * INTERVAL, "max_failure_rate": 0}


@dataclass(frozen=True)
class Options:
    """The keys of conf/hydra/sweeper/trainyard.yaml, checked."""

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


def read_options(config: DictConfig) -> Options:
    """Read and check the options; UserError for an invalid value."""
    node: dict[str, Any] = {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in config.hydra.sweeper.items()
        if key not in ("sampler", "pruner")
    }
    folder = Path(config.hydra.sweep.dir).absolute()
    if not node["objectives"] and config.monitor is None:
        raise UserError(
            "a sweep ranks its runs by a score, and monitor=null names none; set monitor=NAME mode=min or max"
        )
    objectives = node["objectives"] or {config.monitor: config.mode}
    _check(node, config, objectives)
    return Options(
        folder=folder,
        location=locate(node["storage"], folder),
        study=str(node["study"]),
        objectives=objectives,
        params=node["params"] or {},
        baseline=node["baseline"],
        n_trials=node["n_trials"],
        n_jobs=node["n_jobs"],
        timeout=float(node["timeout"] or "inf"),
        execution=_execution(node["execution"], config.hydra.runtime.choices["hydra/launcher"]),
        slots=[{key: str(value) for key, value in slot.items()} for slot in node["slots"] or []],
        max_failure_rate=float(node["max_failure_rate"]),
        grace=float(node["grace"]),
        refit=node["refit"],
        plots=node["plots"],
    )


def _check(node: dict[str, Any], config: DictConfig, objectives: dict[str, str]) -> None:
    for name, mode in objectives.items():
        if mode not in DIRECTIONS:
            raise UserError(f"hydra.sweeper.objectives: the mode of {name} is {mode}; it must be min or max")
    for key, smallest in SMALLEST.items():
        if not isinstance(node[key], int | float):
            raise UserError(f"hydra.sweeper.{key}={node[key]} is not a number")
        if node[key] < smallest:
            raise UserError(f"hydra.sweeper.{key}={node[key]} must be at least {smallest}")
    if len(objectives) > 1 and node["refit"]:
        raise UserError(f"hydra.sweeper.refit={node['refit']}: {len(objectives)} objectives have no single best trial")
    if config.check or config.resume:
        raise UserError("check=true and resume=... are for one training; leave them out of a sweep")
    if not (config.get("callbacks") or {}).get("pruning"):
        raise UserError(
            "this sweeper needs the callback of sweep=search; start the defaults of your own search space with - search"
        )


def _execution(given: str | None, launcher: str) -> str:
    if given not in (None, "process", "launcher"):
        raise UserError(f"hydra.sweeper.execution={given} must be process or launcher")
    if given == "process" and launcher != HERE:
        raise UserError(f"hydra/launcher={launcher} runs nothing with hydra.sweeper.execution=process; leave one out")
    return given or ("process" if launcher == HERE else "launcher")
