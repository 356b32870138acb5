"""How figures look: no background, lines and gray text that are readable on a light page and on a dark one."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

NEUTRAL = "#808080"  # of text and axes
COLORS = ("#4c8dd6", "#e07b39", "#3fa66b", "#c75a9b", "#8f7ee0", "#b59a2c", "#d9534f", "#3aa9b8")


def panels(count: int, columns: int = 3, width: float = 3.6, height: float = 2.6) -> tuple[Figure, list[Axes]]:
    """A figure without background, and `count` panels in it."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    figure.patch.set_alpha(0)
    axes = list(figure.subplots(rows, columns, squeeze=False).flatten())
    for panel in axes[count:]:
        panel.set_visible(False)
    for panel in axes[:count]:
        decorate(panel)
    return figure, axes[:count]


def decorate(panel: Axes) -> None:
    """Draw the frame of a panel: two axes, a faint grid, gray text."""
    panel.patch.set_alpha(0)
    for side, spine in panel.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(NEUTRAL)
    panel.tick_params(colors=NEUTRAL, labelsize=8)
    for text in (panel.title, panel.xaxis.label, panel.yaxis.label):
        text.set_color(NEUTRAL)
    for axis in (panel.xaxis, panel.yaxis):
        axis.get_offset_text().set_color(NEUTRAL)
    panel.grid(color=NEUTRAL, alpha=0.2, linewidth=0.6)


def literal(text: str) -> str:
    """A text that matplotlib draws as it is: neither a formula nor, in a legend, left out."""
    return f" {text}".replace("$", r"\$") if text.startswith("_") else text.replace("$", r"\$")
