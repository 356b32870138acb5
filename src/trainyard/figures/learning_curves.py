"""The course of a training: a panel for each metric, train against validation, of one run or of several."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trainyard.figures.style import COLORS, NEUTRAL, literal, panels

Series = tuple[Sequence[float], Sequence[float]]  # x, y
MAX_LEGEND = 8  # entries


def learning_curves(runs: Mapping[str, Mapping[str, Series]], names: Sequence[str], x_label: str = "epoch") -> Figure:
    """A panel for each of the `names` (loss), with val/NAME as a line and train/NAME dashed.

    `runs` has the series of each run by name; with one run, the two splits have colors of their own.
    """
    figure, axes = panels(len(names), columns=2 if len(names) in (2, 4) else 3)
    for panel, name in zip(axes, names, strict=True):
        for i, (run, series) in enumerate(runs.items()):
            for split, style in (("val", "-"), ("train", "--")):
                if found := series.get(f"{split}/{name}"):
                    several = len(runs) > 1
                    color = COLORS[(i if several else split == "train") % len(COLORS)]
                    label = split if not several else (run if split == "val" else None)
                    draw(panel, found, color, style, label)
        panel.set_title(literal(name), fontsize=10)
        panel.set_xlabel(literal(x_label), fontsize=8)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if any(panel.get_legend_handles_labels()[0] for panel in axes):
        add_legend(figure, axes, len(runs))
    return figure


def rates(rate: Mapping[str, Series], losses: Mapping[str, Series]) -> Figure:
    """The learning rates of the groups of weights, and below them the losses, over steps."""
    figure, axes = panels(2, columns=1, width=6.4, height=2.4)
    for panel, series, title in zip(axes, (rate, losses), ("learning rate", "loss"), strict=True):
        for i, (name, found) in enumerate(series.items()):
            draw(panel, found, COLORS[i % len(COLORS)], "-", name)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("step", fontsize=8)
        if series:
            panel.legend(frameon=False, fontsize=8, labelcolor=NEUTRAL)
    return figure


def draw(panel: Axes, series: Series, color: str, style: str, label: str | None) -> None:
    """One line; of few points, each is marked."""
    x, y = series
    marker = "o" if len(x) <= 12 and style == "-" else ""
    label = "_" if label is None else literal(label)
    panel.plot(x, y, style, color=color, marker=marker, markersize=3, linewidth=1.4, label=label)


def add_legend(figure: Figure, axes: Sequence[Axes], runs: int) -> None:
    """One legend for all panels: in the first one, or for several runs, whose names are long, below them."""
    if runs == 1:
        axes[0].legend(frameon=False, fontsize=8, labelcolor=NEUTRAL)
        return
    pairs = [pair for panel in axes for pair in zip(*panel.get_legend_handles_labels(), strict=True)]
    named = dict(reversed([(label, handle) for handle, label in pairs]))
    labels = sorted(named, key=[label for _, label in pairs].index)[:MAX_LEGEND]
    figure.legend(
        [named[label] for label in labels], labels, loc="outside lower left", frameon=False, fontsize=8, ncols=1,
        labelcolor=NEUTRAL, title="validation; dashed: train", title_fontsize=8, alignment="left",
    ).get_title().set_color(NEUTRAL)  # fmt: skip
