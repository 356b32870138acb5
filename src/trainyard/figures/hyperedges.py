"""The strongest hyperedges of a text: how much each counts, and its words colored by attention."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from trainyard.figures.colors import word_colors
from trainyard.figures.words import LINE, MARGIN, SIZE, WIDTH, drawable, layout

MOST = 20  # hyperedges
BAR, LEFT = 60.0, MARGIN + 110.0  # points: of the longest bar, and where the words begin
BLUE = "#3b6ea5"


def hyperedges_figure(words: Sequence[str], parts: Tensor, title: str) -> Figure:
    """N words, (E, N) -> a line for each of the strongest hyperedges, in the text's order.

    A row of `parts` sums to the share of a hyperedge, which it divides among its words; 0 for a word that is not in it.
    """
    shares = parts.sum(1).clamp(min=torch.finfo(parts.dtype).tiny)
    rows = sorted(shares.argsort(descending=True)[:MOST].tolist())
    inside: list[list[int]] = [(parts[row] > 0).nonzero().flatten().tolist() for row in rows]
    shown = [[drawable(words[place]) for place in places] for places in inside]
    laid = [layout(line, LEFT) for line in shown]
    top = 3 * LINE + MARGIN
    height = top + sum(bottom + 3 for _, bottom in laid) + MARGIN
    figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor="white")
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.set_axis_off()
    text = {"parse_math": False, "va": "center", "family": "DejaVu Sans"}
    page.text(MARGIN, MARGIN, drawable(title), fontsize=SIZE, color="black", weight="bold", **text)
    for number, line in enumerate(legend(len(rows), len(parts))):
        page.text(MARGIN, MARGIN + (number + 1) * 0.85 * LINE, line, fontsize=0.75 * SIZE, color="#444444", **text)
    against_equal = parts * ((parts > 0).sum(1) / shares)[:, None]  # 1 where all words of a hyperedge count the same
    colors = iter(word_colors(against_equal[rows][parts[rows] > 0], False))
    for row, (places, bottom), line in zip(rows, laid, shown, strict=True):
        share, middle = float(shares[row]), top + LINE / 2
        bar = BAR * share / float(shares.max())
        page.add_patch(Rectangle((MARGIN, middle - LINE / 4), bar, LINE / 2, color=BLUE, linewidth=0))
        page.text(MARGIN + bar + 4, middle, f"{100 * share:.1f} %", fontsize=0.75 * SIZE, color="black", **text)
        for word, (x, y, width) in zip(line, places, strict=True):
            back, front = next(colors)
            page.add_patch(Rectangle((x - 2, top + y - LINE / 2 + 1), width + 4, LINE - 2, color=back, linewidth=0))
            page.text(x, top + y, word, fontsize=SIZE, color=front, **text)
        top += bottom + 3
    return figure


def legend(shown: int, count: int) -> tuple[str, str]:
    """What is seen."""
    which = f"all {count} hyperedges" if shown == count else f"the {shown} strongest of {count} hyperedges"
    return (
        f"{which} in the text's order; the bar: how much of what the head reads comes through one",
        "the darker a word, the more its hyperedge attends to it, relative to equal shares",
    )
