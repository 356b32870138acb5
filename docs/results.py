"""Train what docs/results.md lacks, row after row, and write its tables and curves: make results-all.

    TRAINYARD_DATA=... python docs/results.py [ROW ...]     trains these rows, or all
    python docs/results.py --list                           what there is, and how many hours the rest is going to take
    python docs/results.py --page                           writes the page alone

The same command continues where it was stopped, within a run as well. A row whose words have changed is trained again.
"""

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from records import ROWS, Record, Row, make_record, read_records, read_rows, write_records
from results_page import write_page

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "outputs" / "results"


def studied(row: Row) -> Path:
    """The folder with the row's runs; of other words, another folder."""
    return RUNS / "sweeps" / f"{row.name}-{hashlib.sha256(row.words.encode()).hexdigest()[:6]}"


def command(row: Row, rows: dict[str, Row]) -> list[str]:
    """The sweep over the row's seeds, which continues by the same command."""
    seeds = ",".join(map(str, range(row.seeds)))
    words = ["-m", *row.words.split(), f"seed={seeds}", f"run.root={RUNS}", f"hydra.sweeper.study={studied(row).name}"]
    if row.pretrained:
        words.append(f"pretrained={trained(rows[row.pretrained])[0]}")
    return [sys.executable, str(ROOT / "train.py"), *words, f"hydra.sweeper.n_jobs={min(row.jobs, row.seeds)}"]


def trained(row: Row) -> list[Path]:
    """The folders of the row's finished runs, by seed."""
    return sorted(file.parent for file in studied(row).glob("*/summary.json"))


def missing(row: Row, records: Sequence[Record]) -> int:
    """How many of the row's runs there is no record of."""
    seeds = {record.run.seed for record in records if record.row == row.name}
    return len(set(range(row.seeds)) - seeds)


def hours(rows: Sequence[Row], records: Sequence[Record]) -> float:
    """How long the missing runs of these rows are going to take."""
    return sum(missing(row, records) * row.minutes / min(row.jobs, row.seeds) for row in rows) / 60


def print_state(rows: Sequence[Row], records: Sequence[Record]) -> None:
    """Print each row, how many of its runs are recorded, and the hours that the others are going to take."""
    for row in rows:
        left = missing(row, records)
        done = "done" if not left else f"about {hours([row], records):.1f} h"
        print(f"{row.name:<28} {row.seeds - left} of {row.seeds}   {done}")
    print(f"about {hours(rows, records):.1f} h in all", flush=True)


def needed(names: Sequence[str], rows: dict[str, Row]) -> list[Row]:
    """The rows of these names, each after the one that pretrains it, if that one's run is not there; all for none."""
    if unknown := sorted(set(names) - set(rows)):
        sys.exit(f"{ROWS.name} has no row {', '.join(unknown)}, but {', '.join(rows)}")
    found: dict[str, Row] = {}
    for row in [rows[name] for name in names] or rows.values():
        if row.pretrained and not trained(rows[row.pretrained]):
            found[row.pretrained] = rows[row.pretrained]
        found[row.name] = row
    return list(found.values())


def train(row: Row, rows: dict[str, Row], records: Sequence[Record]) -> list[Record]:
    """Train what is missing of a row; all records, with those of its runs."""
    print(f"\n{row.name}", flush=True)
    if subprocess.run(command(row, rows), cwd=ROOT).returncode:
        print(f"{row.name} failed; its runs are in {studied(row)}", flush=True)
    new = [make_record(row, folder) for folder in trained(row)]
    return list({(each.row, each.run.seed): each for each in [*records, *new]}.values())


def main() -> None:
    """Train the rows that the command line names, and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--list", action="store_true", help="list the rows, and how many hours they take")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    options = parser.parse_args()
    rows, claims = read_rows()
    known = {row.name: row for row in rows}
    records, chosen = read_records(rows), needed(options.rows, known)
    if not options.page:
        print_state(chosen, records)
    if options.list:
        return
    write_page(rows, claims, records)
    for row in [] if options.page else chosen:
        is_initial = any(each.pretrained == row.name for each in chosen) and not trained(row)
        if missing(row, records) or is_initial:
            records = train(row, known, records)
            write_records(records)
            write_page(rows, claims, records)
    if not options.page and hours(chosen, records):
        sys.exit("some runs are missing; the same command continues")


if __name__ == "__main__":
    main()
