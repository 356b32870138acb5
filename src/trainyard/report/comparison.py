"""Two or more configurations side by side: what differs in their config, and what in their scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from trainyard.config_keys import Kind, flatten, is_inherited, kind_of
from trainyard.errors import UserError, printable, without_control
from trainyard.figures.learning_curves import learning_curves
from trainyard.files import read_mapping
from trainyard.logs import render, terminal_width
from trainyard.report.bootstrap import Comparison, compare
from trainyard.report.cells import cells, is_fraction, number
from trainyard.report.curves import over, panels_of, read_series
from trainyard.report.groups import Group, differences, group_runs, ranked_with
from trainyard.report.paths import one_path
from trainyard.report.runs import find_runs
from trainyard.report.tables import folded, sentence
from trainyard.trust.safe_yaml import read_config

HEADINGS = {
    Kind.NUMBERS: "what changes the numbers", Kind.MACHINE: "the machine, and where the data is",
    Kind.BOOKKEEPING: "names, logging, protection",
}  # fmt: skip
SCORES = ("metric", "validation", "test", "train", "mean over", "parameters", "minutes", "samples/s")
ENVIRONMENT = ("git_commit", "python", "cpu", "gpus", "packages.torch", "packages.lightning")
MAX_VALUE = 40  # letters of a value
Rows = list[tuple[str, list[str]]]  # a key, and its value in each group


@dataclass(frozen=True)
class Compared:
    """The comparison; as text what `trainyard compare` prints."""

    groups: list[Group]  # runs that differ in their seed or fold alone are one; the best on validation first
    config: dict[str, Rows]  # by what a key does: those whose values differ
    scores: list[Comparison]  # the best group with each other one, where they share seeds
    unfinished: list[Path]

    def __str__(self) -> str:
        width = terminal_width()
        numbers = [str(i) for i in range(1, len(self.groups) + 1)]
        paths = [one_path([run.path for run in each.runs.values()]) for each in self.groups]
        parts = ["runs", *(f"  {i}  {path}" for i, path in zip(numbers, paths, strict=True))]
        rows = [cells(each) for each in self.groups]
        parts += ["", "scores", columns([(name, [row[name] for row in rows]) for name in SCORES], numbers)]
        parts += ["", *(folded(line, width) for line in self.sentences())]
        for heading, found in self.config.items():
            parts += ["", heading, columns(found, numbers)]
        if not self.config:
            parts += ["", "their configs do not differ"]
        if self.unfinished:
            parts += ["", f"not finished, and left out: {', '.join(map(str, self.unfinished))}"]
        return without_control("\n".join(parts))

    def sentences(self) -> list[str]:
        """How much better the best is than each other one, and how sure that is."""
        known = {found.other: sentence(found, self.groups) for found in self.scores}
        lines = []
        for i, other in enumerate(self.groups):
            best = next(j for j, each in enumerate(self.groups) if ranked_with(each.first) == ranked_with(other.first))
            if i in known or best != i:
                lines.append(known.get(i) or unpaired(self.groups, best, i))
            elif i:
                lines.append(f"{i + 1} has another dataset or metric than 1: its scores are not compared")
        return lines

    def figure(self) -> Figure:
        """The curves of the first run of each group."""
        runs, labels = [each.first for each in self.groups], differences(self.groups)
        x = over(run.path for run in runs)
        named = {
            f"{i}  {printable(words or run.path, 70)}": read_series(run.path, x)
            for i, (run, words) in enumerate(zip(runs, labels, strict=True), 1)
        }
        names = panels_of(named.values(), f"val/{runs[0].metric}")
        if not names:
            raise UserError("none of the runs has logged anything that could be drawn")
        return learning_curves(named, names, x)


def compare_runs(paths: Iterable[str | Path]) -> Compared:
    """Compare the finished runs at or below the paths; UserError for fewer than two."""
    done, unfinished = find_runs(paths)
    done = list({run.path.resolve(): run for run in done}.values())
    if len(done) < 2:
        names = ", ".join(map(str, unfinished))
        more = f" (not finished: {printable(names, 300)})" if names else ""
        raise UserError(f"to compare takes two finished runs, and there {'is one' if done else 'is none'}{more}")
    groups = group_runs(done)
    if len(groups) < 2:  # of one config: each run for itself
        groups = [Group({(run.seed, run.fold): run}) for run in done]
    return Compared(groups, changed_keys(groups), compare(groups), unfinished)


def changed_keys(groups: Sequence[Group]) -> dict[str, Rows]:
    """The keys of the config, and facts of the environment, whose values differ between the groups."""
    configs = [values(each, "config.resolved.yaml") for each in groups]
    found: dict[str, Rows] = {}
    for kind, heading in HEADINGS.items():
        keys = [key for key in dict.fromkeys(key for each in configs for key in each) if kind_of(key) is kind]
        if rows := changed([key for key in keys if is_inherited(key)], configs):
            found[heading] = rows
    environments = [values(each, "environment.json") for each in groups]
    if rows := changed(ENVIRONMENT, environments):
        found["code, packages, processor"] = rows
    return found


def values(group: Group, name: str) -> dict[str, str]:
    """The values in a file of the runs of a group by dotted key; several values of one key are joined."""
    found: dict[str, dict[str, None]] = {}
    for run in group.runs.values():
        content: dict[str, Any] = (
            read_config(run.path / name) if name.endswith(".yaml") else read_mapping(run.path / name)
        )
        for key, value in flatten(content).items():
            text = "null" if value is None else str(value)
            found.setdefault(printable(key), {})[printable(text, MAX_VALUE)] = None
    return {key: ", ".join(sorted(each)) for key, each in found.items()}


def changed(keys: Iterable[str], groups: Sequence[dict[str, str]]) -> Rows:
    """The keys that do not have the same value in all groups."""
    rows = [(key, [each.get(key, "") for each in groups]) for key in keys]
    return [(key, cells) for key, cells in rows if len(set(cells)) > 1]


def unpaired(groups: Sequence[Group], best: int, other: int) -> str:
    """The difference of two groups that share fewer than two seeds."""
    first, second = groups[best], groups[other]
    split = "test" if first.judged_on == second.judged_on == "test" else "validation"
    found = [each.statistics(split) for each in (first, second)]
    if found[0] is None or found[1] is None:
        return f"{best + 1} against {other + 1}: not both have a score on {split}"
    unit = " points" if is_fraction(second) else ""
    amount = number(found[0].mean - found[1].mean, second, "+", like=abs(found[0].mean))
    alone = len(first.runs) == len(second.runs) == 1
    why = "one run each: chance alone may explain it; train both with several seeds" if alone else "no seeds in common"
    name = f"{'val' if split == 'validation' else split}/{second.first.metric}"
    return f"{best + 1} against {other + 1}: {amount}{unit} {name} ({why})"


def columns(rows: Rows, names: Sequence[str]) -> str:
    """A table with a column for each group, without rows that are empty."""
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("", *names):
        table.add_column(name, overflow="fold")
    for key, cells_ in rows:
        if any(cells_):
            table.add_row(*(escape(without_control(cell)) for cell in (key, *cells_)))
    return "\n".join(
        f"  {line.rstrip()}" for line in render(table, max(40, (terminal_width() or 200) - 2)).splitlines()[1:]
    )
