"""The tables and curves of docs/results.md, from the records of what was measured."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from records import DOCS, Claim, Record, Row
from scipy.stats import ttest_ind

from trainyard.figures.learning_curves import learning_curves
from trainyard.report.cells import cells, is_fraction, number
from trainyard.report.files import markdown_cell, write_into
from trainyard.report.groups import Group, rank, ranked_with

PAGE, PICTURES = DOCS / "results.md", DOCS / "images" / "results"
COLUMNS = ("test", "validation", "train", "mean over", "parameters", "minutes", "samples/s", "machine")
LEVEL = 0.05  # a claim holds below this p-value
Groups = dict[str, Group]  # by row


def write_page(rows: Sequence[Row], claims: Sequence[Claim], records: Sequence[Record]) -> None:
    """Write the tables between the markers of the page, and a figure for each row."""
    write_into(PAGE, tables(rows, claims, records))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for row in rows:
        if found := of_row(row, records):
            draw(found, PICTURES / f"{row.name}.png")


def of_row(row: Row, records: Iterable[Record]) -> list[Record]:
    """The row's records by seed."""
    return sorted((each for each in records if each.row == row.name), key=lambda each: each.run.seed)


def tables(rows: Sequence[Row], claims: Sequence[Claim], records: Sequence[Record]) -> str:
    """All that stands between the markers of the page."""
    found = {row.name: kept for row in rows if (kept := of_row(row, records))}
    groups = {name: Group({(each.run.seed, each.run.fold): each.run for each in kept}) for name, kept in found.items()}
    commands = {row.name: command(row) for row in rows}
    parts = [measured(block, groups, found, commands) for block in blocks(groups)]
    parts.append(list_of("Marks", marks(rows, groups)))
    parts.append(list_of("Comparisons", comparisons(claims, groups)))
    missing = [f"{row.name}: `{commands[row.name]}`" for row in rows if row.name not in groups]
    parts.append(list_of("Not run yet", missing))
    return "\n\n".join(filter(None, parts))


def blocks(groups: Groups) -> Iterator[list[str]]:
    """The rows of each dataset and metric, by their test scores: what is stated of each is a final result."""
    ordered = sorted(groups, key=lambda name: rank(groups[name]))
    for _, block in groupby(ordered, key=lambda name: ranked_with(groups[name].first)):
        yield list(block)


def command(row: Row) -> str:
    """What trains the row's runs; the folder of a run that it needs has the name of its row."""
    many = "-m " if row.seeds > 1 else ""
    return f"python train.py {many}{row.words_with('outputs/{}/...'.format)} {row.seed_word}"


def measured(block: Sequence[str], groups: Groups, found: dict[str, list[Record]], commands: dict[str, str]) -> str:
    """The table of one dataset and metric."""
    first = groups[block[0]].first
    lines = [["row", *COLUMNS, "date", "commit", "command"], ["---"] * (len(COLUMNS) + 4)]
    for name in block:
        row, kept = cells(groups[name]), found[name]
        dates, commits = (", ".join(sorted({getattr(each, key) for each in kept})) for key in ("date", "commit"))
        shown = [f"[{name}](images/results/{name}.png)", *(markdown_cell(column, row[column]) for column in COLUMNS)]
        lines.append([*shown, dates, commits, markdown_cell("command", commands[name])])
    return f"### {first.data}, {first.metric}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def list_of(title: str, lines: Iterable[str]) -> str:
    """A heading and its list; nothing for no lines."""
    items = "\n".join(f"- {line}" for line in lines)
    return f"### {title}\n\n{items}" if items else ""


def marks(rows: Iterable[Row], groups: Groups) -> Iterator[str]:
    """For each mark, whether it is reached, and what is missing."""
    for row in rows:
        if not row.mark or row.name not in groups:
            continue
        group = groups[row.name]
        goal, score, limit = row.mark["score"], mean_score(group), row.mark.get("minutes")
        sign = "<=" if group.first.lower_is_better else ">="
        unit = " %" if is_fraction(group) else ""
        asked = f"{row.name} {sign} {number(goal, group)}{unit}"
        verdicts = [verdict(group.cost(score) <= group.cost(goal), f"{number(score - goal, group, '+', like=goal)}")]
        if limit is not None:
            minutes = group.average("minutes") or 0.0
            asked += f" in <= {limit:.3g} minutes"
            verdicts.append(verdict(minutes <= limit, f"{minutes - limit:+.1f} minutes"))
        yield f"{asked} ({group.over}): {'; '.join(verdicts)}"


def verdict(reached: bool, difference: str) -> str:
    """Whether a mark is reached, and the difference to it."""
    return f"{'reached' if reached else '**not reached**'}, {difference}"


def mean_score(group: Group) -> float:
    """The mean on the split that the group is judged by."""
    found = group.statistics(group.judged_on)
    return found.mean if found else float("nan")


def comparisons(claims: Iterable[Claim], groups: Groups) -> Iterator[str]:
    """For each claim whose rows are both measured, the difference and its p-value."""
    for claim in claims:
        if claim.better not in groups or claim.than not in groups:
            continue
        ours, theirs = (groups[name] for name in (claim.better, claim.than))
        first, second = (list(each.scores(each.judged_on).values()) for each in (ours, theirs))
        sign = -1 if ours.first.lower_is_better else 1
        difference = mean_score(ours) - mean_score(theirs)
        p = p_value(first, second, sign)
        holds = sign * difference >= claim.by and p is not None and p < LEVEL
        unit = " points" if is_fraction(ours) else ""
        asked = f", asked for {number(claim.by, ours, like=mean_score(ours))}" if claim.by else ""
        yield (
            f"{claim.better} against {claim.than}: {number(difference, ours, '+', like=mean_score(ours))}{unit}"
            f"{asked}, {len(first)} and {len(second)} runs, {in_words(p)}: "
            f"{'holds' if holds else '**not shown**'}"
        )


def p_value(first: Sequence[float], second: Sequence[float], sign: int) -> float | None:
    """Of Welch's one-sided t-test that the first are the better ones; None for a single run."""
    if min(len(first), len(second)) < 2:
        return None
    return float(ttest_ind(first, second, equal_var=False, alternative="greater" if sign > 0 else "less").pvalue)


def in_words(p: float | None) -> str:
    """A p-value as it is written."""
    if p is None:
        return "no p-value from a single run"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def draw(records: Sequence[Record], file: Path) -> None:
    """The monitored metric of a row's runs over their course."""
    curves = {f"seed {each.run.seed}": each.curves for each in records}
    learning_curves(curves, [records[0].run.metric], records[0].x).savefig(file, dpi=80)
