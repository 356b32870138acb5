"""The groups as a table: on the terminal, in Markdown, CSV and LaTeX."""

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from trainyard.errors import without_control
from trainyard.logs import render
from trainyard.report.bootstrap import Comparison, compare
from trainyard.report.groups import Group, differences

START, END = "<!-- results -->", "<!-- /results -->"
COLUMNS = (
    "network", "data", "test score", "validation", "train", "parameters", "minutes", "best", "samples/s", "machine",
    "command",
)  # fmt: skip
ON_TERMINAL = 7  # columns; speed, machine and command are in the files alone
FEW_PAIRS = 5  # with fewer, the comparison is unreliable
SPLITS = ("test", "validation", "train")
LATEX = str.maketrans({
    **{character: f"\\{character}" for character in "%_&#${}"}, "±": r"$\pm$", "\n": " ",
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
})  # fmt: skip


def cells(each: Group) -> tuple[str, ...]:
    """The row of a group."""
    first = each.first
    scale, unit = each.scale, " %" if each.scale > 1 else f" {first.metric}"
    judged, trained, speed = each.statistics(), each.statistics("train"), each.average("speed")
    return (
        first.network,
        first.data,
        score(each, "test", scale, unit),
        score(each, "validation", scale, unit) if each.judged_on == "validation" else "",
        f"{scale * trained.mean:.2f}{unit if scale > 1 else ''}" if trained else "",
        f"{first.parameters:,}",
        f"{each.average('minutes') or 0:.1f}",
        f"{scale * judged.best:.2f}{unit}" if judged and judged.count > 1 else "",
        f"{speed:,.0f}" if speed else "",
        first.machine,
        each.command,
    )


def score(each: Group, split: str, scale: int, unit: str) -> str:
    """Mean, standard deviation, and what they are taken over."""
    found = each.statistics(split)
    if found is None:
        return ""
    spread = "" if found.std is None else f" ± {scale * found.std:.2f}"
    return f"{scale * found.mean:.2f}{unit}{spread} ({each.over(split)})"


def nonempty_columns(groups: Sequence[Group]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows, without the columns that are empty in every row."""
    rows = [cells(each) for each in groups]
    kept = [i for i, _ in enumerate(COLUMNS) if any(row[i] for row in rows)]
    return tuple(COLUMNS[i] for i in kept), [tuple(row[i] for i in kept) for row in rows]


def print_table(groups: Sequence[Group]) -> None:
    """Print the table, and below it how certain the best of each dataset is."""
    headings, rows = nonempty_columns(groups)
    names = [name for name in headings if name in COLUMNS[:ON_TERMINAL]]
    table = Table("with", *names, box=SIMPLE)
    table.columns[0].overflow = "fold"  # overrides have no spaces
    words = differences(groups)
    for difference, row in zip(words, rows, strict=True):
        table.add_row(escape(difference), *map(escape, row[: len(names)]))
    print(render(table))
    for found in compare(groups):
        print(without_control(sentence(found, groups, words)))


def sentence(found: Comparison, groups: Sequence[Group], words: Sequence[str]) -> str:
    """A comparison as a sentence."""
    names = [words[i] or groups[i].first.network for i in (found.better, found.other)]
    other = groups[found.other]
    scale, unit, metric = other.scale, " points" if other.scale > 1 else "", other.first.metric
    few = ", too few to tell" if found.pairs < FEW_PAIRS else ""
    return (
        f"{names[0]} against {names[1]}: {scale * found.difference:+.2f}{unit} {metric}, 95 % interval "
        f"{scale * found.low:+.2f} to {scale * found.high:+.2f}, p {found.p:.3f} "
        f"(paired bootstrap, {found.pairs} pairs{few})"
    )


def markdown(groups: Sequence[Group]) -> str:
    """The rows as a Markdown table."""
    headings, rows = nonempty_columns(groups)
    texts = [[without_control(cell).replace("\n", " ").replace("|", "\\|") for cell in row] for row in rows]
    shown = [
        (*(html.escape(cell, quote=False) for cell in row[:-1]), f"`{row[-1].replace('`', chr(39))}`") for row in texts
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, ("---",) * len(headings), *shown])


def latex(groups: Sequence[Group]) -> str:
    """The rows as a booktabs table, without machine and command."""
    headings, rows = nonempty_columns(groups)
    count = sum(name in COLUMNS[:ON_TERMINAL] for name in headings)
    body = [
        " & ".join(without_control(cell).translate(LATEX) for cell in row[:count]) + r" \\" for row in [headings, *rows]
    ]
    begin = [rf"\begin{{tabular}}{{ll{'r' * (count - 2)}}}", r"\toprule", body[0], r"\midrule"]
    return "\n".join([*begin, *body[1:], r"\bottomrule", r"\end{tabular}"]) + "\n"


def as_csv(groups: Sequence[Group]) -> str:
    """A row per group with plain numbers."""
    fields = [f"{split} {name}" for split in SPLITS for name in ("mean", "std", "best", "runs")]
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["network", "data", "metric", *fields, "parameters", "minutes", "samples/s", "machine", "command"])
    for each in groups:
        first, found = each.first, [each.statistics(split) for split in SPLITS]
        scores = [cell for some in found for cell in (astuple(some) if some else ("",) * 4)]
        speed = (each.average("minutes"), each.average("speed"))
        row = [first.network, first.data, first.metric, *scores, first.parameters, *speed, first.machine, each.command]
        table.writerow([no_formula(cell) if isinstance(cell, str) else cell for cell in row])
    return stream.getvalue()


def no_formula(text: str) -> str:
    """A text that a spreadsheet shows instead of computing it."""
    text = without_control(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def write_into(file: Path, table: str) -> None:
    """Write the table between the file's two markers, which are appended if there are none."""
    text = file.read_text() if file.is_file() else "# Results\n"
    if START not in text or END not in text:
        text = f"{text.rstrip()}\n\n{START}\n{END}\n"
    before, _, rest = text.partition(START)
    file.write_text(f"{before}{START}\n{table}\n{END}{rest.partition(END)[2]}")
