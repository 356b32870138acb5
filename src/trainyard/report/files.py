"""The groups as a table in a file: Markdown, CSV, LaTeX."""

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from trainyard.errors import no_formula, without_control
from trainyard.report.cells import SPLITS, cells
from trainyard.report.groups import Group
from trainyard.report.paths import one_path

START, END = "<!-- results -->", "<!-- /results -->"
NOT_IN_LATEX = ("samples/s", "machine", "runs", "command")
LATEX = str.maketrans({
    **{character: f"\\{character}" for character in "%_&#${}"}, "±": r"$\pm$", "\n": " ",
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
})  # fmt: skip


def rows_of(groups: Sequence[Group]) -> list[dict[str, str]]:
    """The cells of each group, its run directories among them, without the columns that are empty in every row."""
    rows = []
    for each in groups:
        row = cells(each)
        command = row.pop("command")
        rows.append({**row, "runs": one_path([run.path for run in each.runs.values()]), "command": command})
    kept = [name for name in rows[0] if name == "validation" or any(row[name] for row in rows)]
    return [{name: row[name] for name in kept} for row in rows]


def markdown(groups: Sequence[Group]) -> str:
    """The rows as a Markdown table."""
    rows = rows_of(groups)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([markdown_cell(*item) for item in row.items()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_cell(name: str, text: str) -> str:
    """A text that Markdown does not interpret; paths and commands as code."""
    text = without_control(text).replace("\n", " ").replace("|", "\\|")
    return f"`{text.replace('`', chr(39))}`" if name in ("runs", "command") else html.escape(text, quote=False)


def latex(groups: Sequence[Group]) -> str:
    """The rows as a booktabs table, without machine, paths and command."""
    rows = [{name: cell for name, cell in row.items() if name not in NOT_IN_LATEX} for row in rows_of(groups)]
    lines = [list(rows[0]), *(row.values() for row in rows)]
    body = [" & ".join(without_control(cell).translate(LATEX) for cell in line) + r" \\" for line in lines]
    begin = [rf"\begin{{tabular}}{{lll{'r' * (len(rows[0]) - 3)}}}", r"\toprule", body[0], r"\midrule"]
    return "\n".join([*begin, *body[1:], r"\bottomrule", r"\end{tabular}"]) + "\n"


def as_csv(groups: Sequence[Group]) -> str:
    """A row per group with plain numbers, and the run directories."""
    fields = [f"{split} {name}" for split in SPLITS for name in ("mean", "std", "best", "runs")]
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    more = ["parameters", "minutes", "samples/s", "machine", "runs", "command"]
    table.writerow(["network", "data", "metric", "mode", *fields, *more])
    for each in groups:
        first, found = each.first, [each.statistics(split) for split in SPLITS]
        scores = [cell for some in found for cell in (astuple(some) if some else ("",) * 4)]
        speed = (each.average("minutes"), each.average("speed"))
        paths = ";".join(str(run.path) for run in each.runs.values())
        row = [
            first.network, first.data, first.metric, "min" if first.lower_is_better else "max", *scores,
            first.parameters, *speed, first.machine, paths, each.command,
        ]  # fmt: skip
        table.writerow([no_formula(cell) if isinstance(cell, str) else cell for cell in row])
    return stream.getvalue()


def write_into(file: Path, table: str) -> None:
    """Write the table between the file's two markers, which are appended if there are none."""
    text = file.read_text() if file.is_file() else "# Results\n"
    if START not in text or END not in text:
        text = f"{text.rstrip()}\n\n{START}\n{END}\n"
    before, _, rest = text.partition(START)
    file.write_text(f"{before}{START}\n{table}\n{END}{rest.partition(END)[2]}")
