"""The groups on the terminal: a table for each dataset and metric, the run directories, and how certain the best is."""

import textwrap
from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

from trainyard.errors import without_control
from trainyard.logs import render, terminal_width
from trainyard.report.bootstrap import Comparison, compare
from trainyard.report.cells import cells, is_fraction, number
from trainyard.report.groups import Group, differences, ranked_with
from trainyard.report.paths import one_path

COLUMNS = ("#", "with", "network", "validation", "test", "train", "mean over", "parameters", "minutes", "best run")
DROPPED_FIRST = ("best run", "minutes", "parameters", "network", "train", "mean over", "with")  # in a narrow terminal
IN_TITLE = ("network", "mean over")  # where they are the same in all rows
GAP = 3  # spaces between two columns
Row = dict[str, str]


def print_table(groups: Sequence[Group]) -> None:
    """Print a table for each dataset and metric, and below them all the run directories and the comparisons."""
    width = terminal_width()
    places: list[str] = []
    for _, block in groupby(groups, key=lambda each: ranked_with(each.first)):
        members = list(block)
        rows = make_rows(members, start=len(places) + 1)
        names = fitting([name for name in COLUMNS if is_needed(name, rows)], rows, width)
        print(f"\n{folded(title(members[0], rows), width)}\n\n{make_table(names, rows, width)}")
        for each, row in zip(members, rows, strict=True):
            start = f"  {row['#']:>{len(str(len(groups)))}}  "
            lines = [row["with"]] if row["with"] and "with" not in names else []
            lines.append(one_path([run.path for run in each.runs.values()], width and width - len(start)))
            places.append(without_control(start + f"\n{' ' * len(start)}".join(lines)))
    print("\nruns", *places, sep="\n")
    for i, found in enumerate(compare(groups)):
        print(("" if i else "\n") + folded(sentence(found, groups), width))


def make_rows(groups: Sequence[Group], start: int) -> list[Row]:
    """The cells of one table, its rows numbered from `start` on."""
    numbered = enumerate(zip(groups, differences(groups), strict=True), start)
    rows = [{"#": str(i), "with": words, **cells(each)} for i, (each, words) in numbered]
    return [{name: without_control(cell) for name, cell in row.items()} for row in rows]


def title(first: Group, rows: Sequence[Row]) -> str:
    """What the rows of a table have in common, and the score that they are ranked by."""
    same = {name: rows[0][name] for name in IN_TITLE if len({row[name] for row in rows}) == 1}
    network = f"{same['network']} on " if "network" in same else ""
    order = "lowest" if first.first.lower_is_better else "highest"
    over = f"; means over {same['mean over']}" if "mean over" in same and len(first.runs) > 1 else ""
    return f"{network}{first.first.data}, {order} val/{first.first.metric} first{over}"


def is_needed(name: str, rows: Sequence[Row]) -> bool:
    """Whether a column says something: not what is empty in every row, nor what the title says."""
    values = {row[name] for row in rows}
    return name == "validation" or (values != {""} and not (name in IN_TITLE and len(values) == 1))


def least_width(names: Sequence[str], rows: Sequence[Row]) -> int:
    """The width of a table in which no word is broken; only overrides may be folded, between two of them."""
    texts = [[name, *(row[name] for row in rows)] for name in names]
    words = [[word for text in column for word in text.split()] if column[0] == "with" else column for column in texts]
    return 1 + sum(GAP + max(map(cell_len, column)) for column in words)


def fitting(names: Sequence[str], rows: Sequence[Row], width: int | None) -> list[str]:
    """The columns that fit the width."""
    kept = list(names)
    for dropped in DROPPED_FIRST:
        if width is not None and least_width(kept, rows) > width:
            kept = [name for name in kept if name != dropped]
    return kept


def make_table(names: Sequence[str], rows: Sequence[Row], width: int | None) -> str:
    """The columns of those names as text."""
    table = Table(box=SIMPLE)
    for name in names:
        table.add_column(name, no_wrap=name != "with", justify="left" if name in ("with", "network") else "right")
    for row in rows:
        table.add_row(*(escape(row[name]) for name in names))
    text = render(table, max(width or 10_000, least_width(names, rows)))
    return "\n".join(line.rstrip() for line in text.splitlines()[1:])


def sentence(found: Comparison, groups: Sequence[Group]) -> str:
    """A comparison as a sentence, which names the groups by their rows."""
    other, interval = groups[found.other], found.interval
    metric = f"{'val' if found.split == 'validation' else found.split}/{other.first.metric}"
    unit = " points" if is_fraction(other) else ""
    like = abs(found.difference)
    start = f"{found.better + 1} against {found.other + 1}: {number(found.difference, other, '+')}{unit} {metric}"
    if interval is None:
        return f"{start} ({found.pairs} pairs are too few to tell)"
    low, high = (number(bound, other, "+", like) for bound in (interval.low, interval.high))
    p = "p < 0.001" if interval.p < 0.001 else f"p {interval.p:.3f}"
    return f"{start}, 95 % interval {low} to {high}, {p} (paired bootstrap, {found.pairs} pairs)"


def folded(text: str, width: int | None) -> str:
    """A sentence in lines of that width, broken between words."""
    text = without_control(text)
    if width is None:
        return text
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
