"""Train what docs/results.md lacks, row after row, and write its tables and curves: make results-all.

    TRAINYARD_DATA=... python docs/results.py [ROW ...]     trains these rows, or all
    python docs/results.py --list                           what there is, and how many hours the rest is going to take
    python docs/results.py --page                           writes the page alone, with what has finished here

The same command continues where it was stopped, within a run as well, and trains no seed again that has a record, from
whichever machine. A row is trained again whose recipe has changed: its words, or what the YAML files say of them; its
old records are then left out of the page, and of results.jsonl, by --page too.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path

from records import ROWS, Record, Row, changes, composed, make_record, read_records, read_rows, recipe_of, write_records
from results_page import write_page

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "outputs" / "results"


def study_of(row: Row, rows: dict[str, Row], seeds: str) -> str:
    """The name of the study with the row's runs of these seeds; of another recipe, another name."""
    configs = [composed(each.words) for each in (row, *needed(row, rows))]
    digest = hashlib.sha256("\n".join([recipe_of(row, rows), *configs]).encode()).hexdigest()[:6]
    return f"{row.name}-{digest}-seed-{seeds}"


def needed(row: Row, rows: dict[str, Row]) -> list[Row]:
    """The rows whose runs a row needs, and those that these need."""
    return [each for name in row.sources for each in (rows[name], *needed(rows[name], rows))]


def command(row: Row, rows: dict[str, Row], records: Sequence[Record]) -> list[str]:
    """The sweep over the row's seeds, which continues by the same command."""
    seeds = [str(seed) for seed in seeds_here(row, rows, records)]
    own = row.words_with(lambda name: trained(rows[name], rows)[0])
    words = ["-m", *own.split(), f"seed={','.join(seeds)}", f"run.root={RUNS}"]
    sweeper = {"study": study_of(row, rows, "-".join(seeds)), "n_jobs": min(row.jobs, len(seeds))}
    return [sys.executable, str(ROOT / "train.py"), *words, *(f"hydra.sweeper.{key}={sweeper[key]}" for key in sweeper)]


def trained(row: Row, rows: dict[str, Row]) -> dict[int, Path]:
    """The folders of the row's runs that have finished on this machine, by seed."""
    found = sorted(RUNS.glob(f"sweeps/{study_of(row, rows, '*')}/*/summary.json"))
    return {json.loads(file.read_text())["seed"]: file.parent for file in found}


def seeds_here(row: Row, rows: dict[str, Row], records: Sequence[Record]) -> list[int]:
    """The seeds of the sweep that has begun here and lacks runs; else, of a new one, those without run and record.

    Seed 0 as well where there is only a record, if another row may need its run.
    """
    here = trained(row, rows)
    done = {*here, *recorded(row, records)}
    if any(row.name in other.sources for other in rows.values()) and 0 not in here:
        done -= {0}
    lacking = [seed for seed in range(row.seeds) if seed not in done]
    names = [path.name for path in RUNS.glob(f"sweeps/{study_of(row, rows, '*')}")]
    begun = [[int(seed) for seed in name.rpartition("-seed-")[2].split("-")] for name in sorted(names)]
    return next((seeds for seeds in begun if set(seeds) & set(lacking)), lacking)


def recorded(row: Row, records: Sequence[Record]) -> set[int]:
    """The seeds of the row's runs that there is a record of."""
    return {record.run.seed for record in records if record.row == row.name}


def missing(row: Row, records: Sequence[Record]) -> int:
    """How many of the row's runs there is no record of."""
    return len(set(range(row.seeds)) - recorded(row, records))


def hours(row: Row, records: Sequence[Record]) -> float:
    """How long the missing runs of a row are going to take; of one whose runs are gone from this machine, one run."""
    runs = missing(row, records) or 1
    return ceil(runs / row.jobs) * row.minutes / 60


def print_state(rows: Sequence[Row], chosen: Sequence[Row], records: Sequence[Record]) -> None:
    """Print each row, how many of its runs are recorded, and the hours that the `chosen` ones are going to take."""
    for row in {row.name: row for row in [*rows, *chosen]}.values():
        wanted = f"about {hours(row, records):.1f} h" if row in chosen else "done"
        print(f"{row.name:<28} {row.seeds - missing(row, records)} of {row.seeds}   {wanted}")
    print(f"about {sum(hours(row, records) for row in chosen):.1f} h in all", flush=True)


def waits_for(row: Row, rows: dict[str, Row]) -> list[str]:
    """The rows whose runs a row needs and that are not there."""
    return [name for name in row.sources if 0 not in trained(rows[name], rows)]


def due(names: Sequence[str], rows: dict[str, Row], records: Sequence[Record]) -> list[Row]:
    """Of the rows of these names (all for none) those that lack runs, after those whose runs they need."""
    if unknown := sorted(set(names) - set(rows)):
        sys.exit(f"{ROWS.name} has no row {', '.join(unknown)}, but {', '.join(rows)}")
    found: dict[str, Row] = {}

    def add(row: Row) -> None:
        for name in waits_for(row, rows):
            add(rows[name])
        found[row.name] = row

    for row in [rows[name] for name in names] or rows.values():
        if missing(row, records):
            add(row)
    return list(found.values())


def train(row: Row, rows: dict[str, Row], records: Sequence[Record]) -> list[Record]:
    """Train what is missing of a row; all records, with those of its runs."""
    print(f"\n{row.name}", flush=True)
    if missing_rows := waits_for(row, rows):
        print(f"{row.name} waits for {', '.join(missing_rows)}, whose runs it needs", flush=True)
        return list(records)
    if subprocess.run(command(row, rows, records), cwd=ROOT).returncode:
        print(f"{row.name} failed; its runs are in {RUNS / 'sweeps' / study_of(row, rows, '*')}", flush=True)
    return with_trained([row], rows, records)


def with_trained(some: Iterable[Row], rows: dict[str, Row], records: Iterable[Record]) -> list[Record]:
    """These records, and those of all runs of `some` rows that have finished on this machine."""
    new = [make_record(row, recipe_of(row, rows), path) for row in some for path in trained(row, rows).values()]
    return list({(each.row, each.run.seed): each for each in [*records, *new]}.values())


def without_outdated(rows: dict[str, Row], records: Sequence[Record]) -> list[Record]:
    """The records but for those whose YAML files have changed, and those of rows that need such a row's run."""
    old: dict[str, list[str]] = {}
    for record in records:
        keys = changes(rows[record.row], record)
        lines = [f"{key} was {then} and is {now}" for key, (then, now) in keys.items()]
        old[record.row] = list(dict.fromkeys([*old.get(record.row, []), *lines]))
    for row in rows.values():
        sources = [each.name for each in needed(row, rows) if old.get(each.name)]
        old.setdefault(row.name, []).extend(f"it needs {name}" for name in sources)
    for name in {record.row: None for record in records if old[record.row]}:
        print(f"{name} is to be trained again: {', '.join(old[name])}")
    return [record for record in records if not old[record.row]]


def main() -> None:
    """Train the rows that the command line names, and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--list", action="store_true", help="list the rows, and how many hours they take")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    options = parser.parse_args()
    rows, claims = read_rows()
    known = {row.name: row for row in rows}
    records = with_trained(rows, known, without_outdated(known, read_records(rows)))
    chosen = due(options.rows, known, records)
    if not options.page:
        print_state([known[name] for name in options.rows] or rows, chosen, records)
    if options.list:
        return
    write_records(records)
    write_page(rows, claims, records)
    for row in [] if options.page else chosen:
        records = train(row, known, records)
        write_records(records)
        write_page(rows, claims, records)
    if not options.page and any(missing(row, records) for row in chosen):
        sys.exit("some runs are missing; the same command continues")


if __name__ == "__main__":
    main()
