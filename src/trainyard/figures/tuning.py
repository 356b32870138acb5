"""What a search for a learning rate or a batch size has measured."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from trainyard.figures.style import COLORS, NEUTRAL, panels


def range_test(rates: Sequence[float], losses: Sequence[float], smooth: Sequence[float], suggested: float) -> Figure:
    """The loss over the learning rate (Smith, 2017), as measured and smoothed, with the suggested rate."""
    figure, (panel,) = panels(1, columns=1, width=6.4, height=3.6)
    panel.plot(rates, losses, color=COLORS[0], alpha=0.35, linewidth=1, label="loss of a step")
    panel.plot(rates, smooth, color=COLORS[0], linewidth=1.6, label="smoothed")
    panel.axvline(suggested, color=COLORS[1], linewidth=1.2, linestyle="--", label=f"suggested: {suggested:.2g}")
    panel.set_xscale("log")
    low, high = min(smooth), max(smooth[: max(2, len(smooth) // 2)])  # the end of a test that diverged is cut off
    panel.set_ylim(low - 0.15 * (high - low), high + 0.5 * (high - low))
    panel.set_xlabel("learning rate", fontsize=8)
    panel.set_ylabel("loss", fontsize=8, color=NEUTRAL)
    panel.legend(frameon=False, fontsize=8, labelcolor=NEUTRAL)
    return figure


def batch_sizes(speeds: Mapping[int, float]) -> Figure:
    """Samples per second over the batch size."""
    figure, (panel,) = panels(1, columns=1, width=6.4, height=3.6)
    sizes = sorted(speeds)
    panel.plot(sizes, [speeds[size] for size in sizes], "-o", color=COLORS[0], markersize=4, linewidth=1.4)
    panel.set_xscale("log", base=2)
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    panel.set_ylim(bottom=0)
    panel.set_xlabel("batch size", fontsize=8)
    panel.set_ylabel("samples per second", fontsize=8, color=NEUTRAL)
    return figure
