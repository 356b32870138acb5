"""What docs/results.md states: the rows of results.yaml, and in results.jsonl a record of every finished run."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from trainyard.config.composition import compose_overrides
from trainyard.config_keys import key_of
from trainyard.report.curves import over, read_series
from trainyard.report.runs import GROUPS, Finished, compared_config, read_run

DOCS = Path(__file__).parent
ROWS, RECORDS = DOCS / "results.yaml", DOCS / "results.jsonl"
DIGITS = 6  # of a number in a curve
OF_ROW = re.compile(r"=@(\w+)")  # in the words of a row


@dataclass(frozen=True)
class Row:
    """A recipe and what it is to reach; the keys are explained in results.yaml."""

    name: str
    words: str
    minutes: float
    seeds: int = 3
    jobs: int = 2
    mark: dict[str, float] | None = None
    floor: float | None = None

    @property
    def sources(self) -> list[str]:
        """The rows whose runs its words name."""
        return OF_ROW.findall(self.words)

    def words_with(self, place: Callable[[str], object]) -> str:
        """Its words, with the place of a run for the name of its row."""
        return OF_ROW.sub(lambda found: f"={place(found[1])}", self.words)

    @property
    def seed_word(self) -> str:
        """The override that has all its seeds."""
        return f"seed={','.join(map(str, range(self.seeds)))}"


@dataclass(frozen=True)
class Claim:
    """That one row has a better score than another."""

    better: str
    than: str
    by: float = 0.0


@dataclass(frozen=True)
class Record:
    """A finished run, as it is kept in the repository."""

    row: str
    recipe: str  # of the row when it was trained; another one is trained again
    date: str
    commit: str
    run: Finished
    x: str  # what the curves are drawn over: epoch, step
    curves: dict[str, tuple[list[float], list[float]]]


def recipe_of(row: Row, rows: dict[str, Row]) -> str:
    """What a row's scores depend on: its words, and those of the rows that they name."""
    return " after ".join([row.words, *(recipe_of(rows[name], rows) for name in row.sources)])


def changes(row: Row, record: Record) -> dict[str, tuple[Any, Any]]:
    """The keys with another value in the row's recipe than in the record, with both: its YAML files have changed.

    A key that the record lacks counts if it has another value than its option's own. Not compared are keys that are
    gone, and those about the machine.
    """
    then, now = json.loads(record.run.config), json.loads(composed(row.words))
    of_runs = {key_of(word) for word in row.words.split() if OF_ROW.search(word)}
    compared = {key for key in now if key not in of_runs and now[key] != "auto"}
    if compared - set(then):
        then = {**options(row.words), **then}
    return {key: (then.get(key), now[key]) for key in sorted(compared) if then.get(key) != now[key]}


@cache
def composed(words: str) -> str:
    """What the scores of these words depend on, as their YAML files have it now; without the runs of other rows."""
    return compared_config(OmegaConf.to_container(compose_overrides(without_runs(words)).cfg, resolve=True))


def options(words: str) -> dict[str, Any]:
    """What the options that these words choose say of themselves, without what an experiment or a word sets.

    Callbacks are the default ones: an option of theirs adds some.
    """
    choices = compose_overrides(without_runs(words)).choices
    chosen = [group for group in GROUPS if group != "callbacks" and choices.get(group)]
    return json.loads(composed(" ".join(f"{group}={choices[group]}" for group in chosen)))


def without_runs(words: str) -> list[str]:
    """The words but for those that name the run of a row."""
    return [word for word in words.split() if not OF_ROW.search(word)]


def read_rows(file: Path = ROWS) -> tuple[list[Row], list[Claim]]:
    """The rows and the claims of results.yaml; ValueError for a name that is no row."""
    content = yaml.safe_load(file.read_text())
    rows = [Row(name, **keys) for name, keys in content["rows"].items()]
    claims = [Claim(**keys) for keys in content["claims"]]
    named = {name for each in claims for name in (each.better, each.than)}
    named |= {name for row in rows for name in row.sources}
    if unknown := sorted(named - {row.name for row in rows}):
        raise ValueError(f"{file.name} names {', '.join(unknown)}, of which it has no row")
    return rows, claims


def read_records(rows: Iterable[Row], file: Path = RECORDS) -> list[Record]:
    """The records of these rows, but for those of a row whose words, or those of a row that they name, have changed."""
    known = {row.name: row for row in rows}
    recipes = {name: recipe_of(row, known) for name, row in known.items()}
    lines = file.read_text().splitlines() if file.is_file() else []
    records = [from_json(line) for line in lines]
    return [record for record in records if recipes.get(record.row) == record.recipe]


def write_records(records: Iterable[Record], file: Path = RECORDS) -> None:
    """Write a line for each record, by row and seed."""
    ordered = sorted(records, key=lambda record: (record.row, record.run.seed))
    file.write_text("".join(json.dumps({**asdict(record), "run": plain(record.run)}) + "\n" for record in ordered))


def plain(run: Finished) -> dict[str, Any]:
    """A run without its place on this machine."""
    return {**asdict(run), "path": run.path.name}


def from_json(line: str) -> Record:
    """A record from its line."""
    content = json.loads(line)
    run = content.pop("run")
    return Record(run=Finished(**{**run, "path": Path(run["path"]), "words": tuple(run["words"])}), **content)


def make_record(row: Row, recipe: str, folder: Path) -> Record:
    """The record of the run in that folder, which has trained the row's recipe."""
    run, environment = read_run(folder), json.loads((folder / "environment.json").read_text())
    x = over([folder])
    names = {f"{split}/{run.metric}" for split in ("train", "val")}
    found = {name: series for name, series in read_series(folder, x).items() if name in names}
    curves = {name: tuple([float(f"{value:.{DIGITS}g}") for value in part] for part in found[name]) for name in found}
    ended = date.fromtimestamp((folder / "summary.json").stat().st_mtime).isoformat()
    changed = "+" if any(not line[3:].startswith("docs/") for line in environment["git_status"]) else ""
    return Record(row.name, recipe, ended, f"{(environment['git_commit'] or '')[:7]}{changed}", run, x, curves)
