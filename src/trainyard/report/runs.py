"""Finished runs, as their directories tell them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.reliability.files import read_small
from trainyard.reliability.plain import read_config, shown

ASIDE = (
    "run.", "hydra.", "hardware=", "hardware.threads", "hardware.num_workers", "logger=", "seed=", "debug=",
    "trainer.enable_progress_bar=", "data.root=", "data.cache=", "data.num_workers", "data.fold=", "callbacks.pruning.",
    "test=",
)  # fmt: skip
MATTERS = ("model", "data", "task", "optimizer", "scheduler", "trainer")  # of the config, for the scores
HERE = ("seed", "fold", "root", "cache", "num_workers", "default_root_dir", "enable_progress_bar")  # but for these


@dataclass(frozen=True)
class Finished:
    """What a run directory says of itself."""

    words: tuple[str, ...]  # as typed, without what changes no score
    config: str  # what the scores hang on, but for the seed
    seed: int
    fold: int | None  # of cross-validation
    network: str
    data: str
    metric: str
    test: float | None  # in the best epoch, as the others; None where the test set was left unread
    validation: float | None
    train: float | None
    parameters: int
    minutes: float
    speed: float  # samples a second; 0 where it was not measured
    machine: str


def find(paths: Iterable[str | Path]) -> tuple[list[Finished], list[Path]]:
    """The finished runs at or below the paths, and the directories of unfinished ones."""
    done, unfinished = [], []
    for path in map(Path, paths):
        configs = sorted(path.rglob("config.resolved.yaml"))
        if not configs:
            raise UserError(f"{path} holds no run: there is no config.resolved.yaml in it or below")
        for config in configs:
            complete = (config.parent / "summary.json").is_file()
            done.append(read(config.parent)) if complete else unfinished.append(config.parent)
    return done, unfinished


def read(folder: Path) -> Finished:
    """One run; UserError for a folder that only looks like one."""
    try:
        return finished(folder)
    except UserError:
        raise
    except Exception as error:  # its files may hold anything
        raise UserError(f"{folder} is not a run that can be read ({type(error).__name__}: {shown(error)})") from error


def finished(folder: Path) -> Finished:
    """What the files of a run say."""
    cfg = read_config(folder / "config.resolved.yaml")
    summary, environment = (json.loads(read_small(folder / name)) for name in ("summary.json", "environment.json"))
    typed = [shown(word, 1000) for word in yaml.safe_load(read_small(folder / "overrides.yaml")) or []]
    metric = summary["monitor"].rpartition("/")[2]
    scores = {**summary["best"], **summary["test"]}
    metric = "perplexity" if "val/perplexity" in scores else metric
    threads = cfg["hardware"].get("threads") or environment["threads"]
    gpus = environment.get("gpus") or []
    return Finished(
        words=tuple(portable(word) for word in typed if not word.startswith(ASIDE)),
        config=settled(cfg),
        seed=int(cfg["seed"]),
        fold=int(cfg["data"]["fold"]) if cfg["data"].get("folds") else None,
        network=shown(cfg["model"]["_target_"].rpartition(".")[2]),
        data=shown(cfg["data"]["_target_"].rpartition(".")[2]),
        metric=metric,
        test=number(scores.get(f"test/{metric}")),
        validation=number(scores.get(f"val/{metric}")),
        train=in_training(folder, f"train/{metric}", summary["best_epoch"]),
        parameters=int(summary["parameters"]),
        minutes=float(summary["seconds"]) / 60,
        speed=float(summary["samples_per_second"] or 0),
        machine=gpus[0]
        if gpus and cfg["hardware"]["accelerator"] == "gpu"
        else f"{environment['cpu']}, {threads} threads",
    )


def number(value: Any) -> float | None:
    """A score, where there is one."""
    return None if value is None else float(value)


def settled(cfg: dict[str, Any]) -> str:
    """The part of a config that scores hang on, but for the seed: recipes of one name may have changed meanwhile."""
    groups = {name: cfg[name] for name in MATTERS if isinstance(cfg.get(name), dict)}
    kept = {name: {key: value for key, value in group.items() if key not in HERE} for name, group in groups.items()}
    return json.dumps(kept, sort_keys=True)


def portable(word: str) -> str:
    """`pretrained=` with a run by its name, as the place where it lies is this machine's."""
    key, _, value = word.partition("=")
    is_run = key == "pretrained" and (Path(value) / "config.resolved.yaml").is_file()
    return f"{key}=outputs/{Path(value).resolve().parent.name}/..." if is_run else word


def in_training(folder: Path, name: str, epoch: int | None) -> float | None:
    """What `name` was in the epoch whose weights were tested."""
    found = [row[name] for row in read_metrics(folder) if name in row and row.get("epoch") == epoch]
    return found[-1] if found else None
