"""Many runs in one table: read from their directories, grouped over seeds."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml

from trainyard.errors import UserError
from trainyard.loggers.metrics_file import read_metrics
from trainyard.reliability.files import read_small
from trainyard.reliability.foreign import read_config, shown

START, END = "<!-- results -->", "<!-- /results -->"
COLUMNS = ("network", "data", "test score", "train", "parameters", "minutes", "samples/s", "machine", "command")
ASIDE = (
    "run.", "hydra.", "hardware=", "hardware.threads", "hardware.num_workers", "logger=", "seed=", "debug=",
    "trainer.enable_progress_bar=", "data.root=", "data.cache=", "data.num_workers",
)  # fmt: skip
MATTERS = ("model", "data", "task", "optimizer", "scheduler", "trainer")  # of the config, for the scores
HERE = ("seed", "root", "cache", "num_workers", "default_root_dir", "enable_progress_bar")  # but for these in them


@dataclass(frozen=True)
class Finished:
    """What a run directory says of itself."""

    words: tuple[str, ...]  # as typed, without what changes no score
    config: str  # what the scores hang on, but for the seed
    seed: int
    network: str
    data: str
    metric: str
    score: float
    train: float | None  # the same metric on train, in the best epoch
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
    metric = "perplexity" if "test/perplexity" in summary["test"] else metric
    threads = cfg["hardware"].get("threads") or environment["threads"]
    gpus = environment.get("gpus") or []
    return Finished(
        words=tuple(portable(word) for word in typed if not word.startswith(ASIDE)),
        config=settled(cfg),
        seed=int(cfg["seed"]),
        network=shown(cfg["model"]["_target_"].rpartition(".")[2]),
        data=shown(cfg["data"]["_target_"].rpartition(".")[2]),
        metric=metric,
        score=float(summary["test"].get(f"test/{metric}", float("nan"))),
        train=in_training(folder, f"train/{metric}", summary["best_epoch"]),
        parameters=int(summary["parameters"]),
        minutes=float(summary["seconds"]) / 60,
        speed=float(summary["samples_per_second"] or 0),
        machine=gpus[0]
        if gpus and cfg["hardware"]["accelerator"] == "gpu"
        else f"{environment['cpu']}, {threads} threads",
    )


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


def rows(runs: Sequence[Finished]) -> list[tuple[str, ...]]:
    """A row for each set of runs that differ in their seed alone: by data, the best first."""
    groups: dict[Any, dict[int, Finished]] = {}
    for run in runs:
        groups.setdefault((run.data, run.network, run.config, run.words, run.machine), {})[run.seed] = (
            run  # the latest of a seed
        )
    ordered = sorted(groups.values(), key=lambda group: rank(list(group.values())))
    return [row([group[seed] for seed in sorted(group)]) for group in ordered]


def rank(group: list[Finished]) -> tuple[str, str, float]:
    """Where a group stands in the table."""
    score = mean(run.score for run in group)
    return group[0].data, group[0].metric, score if group[0].metric in ("loss", "perplexity") else -score


def row(group: list[Finished]) -> tuple[str, ...]:
    """The cells of a group; the runs stand in the order of their seeds."""
    first = group[0]
    share = first.metric not in ("loss", "perplexity")
    scores = [100 * run.score if share else run.score for run in group]
    spread = f" ± {stdev(scores):.2f} ({len(scores)} seeds)" if len(scores) > 1 else " (1 seed)"
    speeds = [run.speed for run in group if run.speed]
    trained = [run.train for run in group if run.train is not None]
    seeds = ",".join(str(run.seed) for run in group)
    return (
        first.network,
        first.data,
        f"{mean(scores):.2f}{' %' if share else f' {first.metric}'}{spread}",
        f"{mean(trained) * (100 if share else 1):.2f}{' %' if share else ''}" if trained else "",
        f"{first.parameters:,}",
        f"{mean(run.minutes for run in group):.1f}",
        f"{mean(speeds):,.0f}" if speeds else "",
        first.machine,
        " ".join(["python train.py", *(["-m"] if len(group) > 1 else []), *first.words, f"seed={seeds}"]),
    )


def markdown(cells: Sequence[Sequence[str]]) -> str:
    """The rows as a Markdown table."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *((*cell[:-1], f"`{cell[-1]}`") for cell in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_into(file: Path, table: str) -> None:
    """Put the table between the file's two marks, which are added at its end where there are none."""
    text = file.read_text() if file.is_file() else "# Results\n"
    if START not in text or END not in text:
        text = f"{text.rstrip()}\n\n{START}\n{END}\n"
    before, _, rest = text.partition(START)
    file.write_text(f"{before}{START}\n{table}\n{END}{rest.partition(END)[2]}")
