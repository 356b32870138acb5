"""Runs as a table on the terminal, as CSV or as JSON."""

import csv
import io
import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from trainyard.catalog.entries import Entry
from trainyard.errors import no_formula, printable
from trainyard.logs import render, terminal_width

COLUMNS = ("run", "state", "score", "metric", "model", "data", "age", "size")
DROPPED_FIRST = ("size", "data", "model", "age", "metric")  # in a narrow terminal
RIGHT = ("score", "age", "size")
GAP = 3  # spaces between two columns
TIMES = ((2 * 86400, 86400, "d"), (2 * 3600, 3600, "h"), (120, 60, "min"))  # from, unit, its name
FIELDS = ("run", "state", "metric", "score", "test", "model", "data", "age_seconds", "bytes", "problem")


def table(listed: Sequence[Entry]) -> str:
    """The runs in columns, of which those that do not fit the terminal are left out; below, what is wrong with some."""
    rows = [row(each) for each in listed]
    names, width = [name for name in COLUMNS if any(each[name] for each in rows)], terminal_width()
    for dropped in DROPPED_FIRST:
        if width is not None and least_width(names, rows) > width:
            names = [name for name in names if name != dropped]
    drawn = Table(box=SIMPLE)
    for name in names:
        drawn.add_column(name, no_wrap=True, justify="right" if name in RIGHT else "left")
    for each in rows:
        drawn.add_row(*(escape(each[name]) for name in names))
    lines = render(drawn, max(width or 0, least_width(names, rows))).splitlines()
    problems = [f"{each.state}: {shown(each.path)}: {each.problem}" for each in listed if each.problem]
    return "\n".join([*(line.rstrip() for line in lines[1:]), *([""] if problems else []), *problems])


def row(each: Entry) -> dict[str, str]:
    """The cells of a run by column."""
    return {
        "run": shown(each.path), "state": each.state, "score": number(each.score), "metric": each.metric,
        "model": each.model, "data": each.data, "age": age(each.age), "size": size(each.size),
    }  # fmt: skip


def least_width(names: Sequence[str], rows: Sequence[dict[str, str]]) -> int:
    """The width of a table in which nothing is broken."""
    return 1 + sum(GAP + max(len(name), *(len(each[name]) for each in rows)) for name in names)


def totals(listed: Sequence[Entry]) -> str:
    """How many runs there are in which state, and their size."""
    states = [each.state for each in listed]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    count = "1 run" if len(listed) == 1 else f"{len(listed):,} runs"
    return f"{count}, {size(sum(each.size for each in listed))}" + (f": {counts}" if counts else "")


def as_csv(listed: Sequence[Entry]) -> str:
    """A row per run, with plain numbers."""
    stream = io.StringIO()
    lines = csv.writer(stream, lineterminator="\n")
    lines.writerow(FIELDS)
    for values in map(plain, listed):
        lines.writerow([no_formula(cell) if isinstance(cell, str) else cell for cell in values.values()])
    return stream.getvalue().rstrip("\n")


def as_json(listed: Sequence[Entry]) -> str:
    """A list of objects; scores that are not finite are null."""
    return json.dumps([plain(each) for each in listed], indent=2)


def plain(each: Entry) -> dict[str, str | float | None]:
    """The fields of a run for other programs."""
    scores = [value if value is not None and isfinite(value) else None for value in (each.score, each.test)]
    values = (
        shown(each.path), each.state, each.metric, *scores, each.model, each.data, round(each.age), each.size,
        each.problem,
    )  # fmt: skip
    return dict(zip(FIELDS, values, strict=True))


def shown(path: Path) -> str:
    """A path on the terminal."""
    return printable(path, 1000)


def number(value: float | None) -> str:
    """A score in four decimals, or four digits where those say nothing."""
    if value is None:
        return ""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"


def age(seconds: float) -> str:
    """A time in its largest unit: 40 s, 12 min, 5 h, 30 d."""
    least = next((each for each in TIMES if seconds >= each[0]), (0, 1, "s"))
    return f"{seconds / least[1]:.0f} {least[2]}"


def size(count: float) -> str:
    """Bytes in a unit of thousands: 812 B, 3.4 MB."""
    if count < 1000:
        return f"{count:.0f} B"
    scaled = ((count / 1000**power, unit) for power, unit in enumerate(("kB", "MB", "GB", "TB"), 1))
    value, unit = next((each for each in scaled if each[0] < 1000), (count / 1000**4, "TB"))
    return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
