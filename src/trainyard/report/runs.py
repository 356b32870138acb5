"""Finished runs, as their directories describe them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.config_keys import OF_RUNS, changes_numbers, flatten, key_of
from trainyard.errors import UserError, printable
from trainyard.files import read_small
from trainyard.loggers.metrics_lines import read_metrics, usual_name
from trainyard.trust.safe_yaml import read_config, read_yaml

GROUPS = ("model", "data", "task", "optimizer", "scheduler", "trainer", "callbacks")  # on which the scores depend
MAX_METRICS = 1 << 27  # bytes of a metrics.jsonl: half a million lines
GROUPED_OVER = ("seed", "data.seed", "data.fold")  # runs that differ in these alone are one row


@dataclass(frozen=True)
class Finished:
    """A finished run, as read from its directory."""

    path: Path
    words: tuple[str, ...]  # the overrides as typed, without those that change no score
    config: str  # what the scores depend on, except for the seed
    seed: int
    fold: int | None  # of cross-validation
    network: str
    data: str
    metric: str  # that was monitored; of a language model's loss its perplexity
    lower_is_better: bool
    test: float | None  # in the best epoch, as the others; None where the test set was not read
    validation: float | None
    train: float | None
    parameters: int
    minutes: float
    speed: float  # samples per second; 0 where it was not measured
    machine: str


def find_runs(paths: Iterable[str | Path]) -> tuple[list[Finished], list[Path]]:
    """The finished runs at or below the paths, and the directories of unfinished ones."""
    done, unfinished = [], []
    for path in map(Path, paths):
        configs = sorted(path.rglob("config.resolved.yaml"))
        if not configs:
            raise UserError(f"{path} contains no run: there is no config.resolved.yaml in it or below it")
        for config in configs:
            complete = (config.parent / "summary.json").is_file()
            done.append(read_run(config.parent)) if complete else unfinished.append(config.parent)
    return done, unfinished


def read_run(folder: Path) -> Finished:
    """One run; UserError for a folder that only looks like one."""
    try:
        return _read(folder)
    except UserError:
        raise
    except Exception as error:  # its files may contain anything
        raise UserError(
            f"{folder} is not a run that can be read ({type(error).__name__}: {printable(error, 300)})"
        ) from error


def _read(folder: Path) -> Finished:
    cfg = read_config(folder / "config.resolved.yaml")
    summary, environment = (json.loads(read_small(folder / name)) for name in ("summary.json", "environment.json"))
    typed = [printable(word, 1000) for word in read_yaml(folder / "overrides.yaml") or []]
    scores = {**summary["best"], **summary["test"]}
    metric = str(summary["monitor"]).split("/", 1)[-1]
    metric = "perplexity" if metric == "loss" and "val/perplexity" in scores else metric
    threads = cfg["hardware"].get("threads") or environment["threads"]
    gpus = environment.get("gpus") or []
    return Finished(
        path=folder,
        words=tuple(_portable_word(word) for word in typed if _is_shown(word)),
        config=compared_config(cfg),
        seed=int(cfg["seed"]),
        fold=int(cfg["data"]["fold"]) if cfg["data"].get("folds") else None,
        network=printable(cfg["model"]["_target_"].rpartition(".")[2]),
        data=printable(cfg["data"]["_target_"].rpartition(".")[2]),
        metric=printable(metric),
        lower_is_better=cfg["mode"] == "min",
        test=_number(scores.get(f"test/{metric}")),
        validation=_number(scores.get(f"val/{metric}")),
        train=_train_score(folder, f"train/{metric}", summary["best_epoch"]),
        parameters=int(summary["parameters"]),
        minutes=float(summary["seconds"]) / 60,
        speed=float(summary["samples_per_second"] or 0),
        machine=gpus[0]
        if gpus and cfg["hardware"]["accelerator"] == "gpu"
        else f"{environment['cpu']}, {threads} threads",
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _is_shown(word: str) -> bool:
    """Whether an override tells rows apart."""
    key = key_of(word)
    return changes_numbers(key) and key not in GROUPED_OVER


def compared_config(cfg: dict[str, Any]) -> str:
    """What the scores depend on, except for the seed; experiments of one name may have changed in the meantime."""
    values = flatten({name: cfg[name] for name in GROUPS if isinstance(cfg.get(name), dict)})
    kept = {
        key: _portable(key, value) for key, value in values.items() if changes_numbers(key) and key not in GROUPED_OVER
    }
    return json.dumps(kept, sort_keys=True)


def _portable_word(word: str) -> str:
    """An override whose value is portable."""
    key, equals, value = word.partition("=")
    return f"{key}{equals}{_portable(key, value)}"


def _portable(key: str, value: Any) -> Any:
    """The value of a key; of one that names a run, the run's name instead of its place on this machine."""
    place = Path(str(value))
    is_run = key == "like" or (key in OF_RUNS and (place / "config.resolved.yaml").is_file())
    return f"outputs/{place.resolve().parent.name}/..." if is_run else value


def _train_score(folder: Path, name: str, epoch: int | None) -> float | None:
    """The score on the training split in the epoch whose weights were tested."""
    rows = [row for row in read_metrics(folder, MAX_METRICS) if row.get("epoch") == epoch]
    found = [value for row in rows for key, value in row.items() if usual_name(key) == name]
    return found[-1] if found else None
