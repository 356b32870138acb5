"""The decision boundary of a network that classifies points in the plane."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from trainyard.figures.plane import axes_of, corners, probabilities
from trainyard.figures.style import COLORS, NEUTRAL, panels

CELLS = 200  # of the grid, in each direction
SCALE, RADIUS = 3, 6  # pixels of a cell, and of a point, in a small picture
MIDDLE = "#bfbfbf"  # of the probability 0.5
WRONG = "#202020"  # the cross on a point that is on the wrong side


def boundary(probability: Callable[[Tensor], Tensor], points: Tensor, labels: Tensor) -> Figure:  # (N, 2), (N)
    """The probability of class 1 (a function of (B, 2) -> (B)) in the plane, its level 0.5, and the points."""
    figure, (panel,) = panels(1, width=4.6, height=4.0)
    image = draw_plane(panel, probability, points, labels)
    bar = figure.colorbar(image, ax=panel, shrink=0.8)
    bar.ax.tick_params(colors=NEUTRAL, labelsize=8)
    bar.set_label("probability of class 1", color=NEUTRAL, fontsize=8)
    add_classes(figure, panel)
    return figure


def boundaries(planes: Mapping[str, tuple[Callable[[Tensor], Tensor], Tensor, Tensor]]) -> Figure:
    """As `boundary`, for several functions with their points and labels beside each other, by their titles.

    Points on the wrong side have a cross.
    """
    figure, axes = panels(len(planes), columns=4, width=2.6, height=2.9)
    for panel, (title, (probability, points, labels)) in zip(axes, planes.items(), strict=True):
        draw_plane(panel, probability, points, labels)
        wrong = points[(probability(points) > 0.5) != labels.bool()].numpy()
        panel.scatter(wrong[:, 0], wrong[:, 1], color=WRONG, marker="x", s=160, linewidths=2.4, zorder=4)
        panel.set_title(title, fontsize=9, color=NEUTRAL)
    add_classes(figure, axes[0])
    return figure


def draw_plane(
    panel: Axes, probability: Callable[[Tensor], Tensor], points: Tensor, labels: Tensor
) -> AxesImage:  # (N, 2), (N)
    """Draw the probability of class 1 in the plane, its level 0.5, and the points."""
    level = probabilities(probability, points, CELLS).numpy()
    x, y = (each.numpy() for each in axes_of(points, CELLS))
    colors = LinearSegmentedColormap.from_list("classes", [COLORS[0], MIDDLE, COLORS[1]])
    extent = (x[0], x[-1], y[0], y[-1])
    image = panel.imshow(level, cmap=colors, vmin=0, vmax=1, alpha=0.75, extent=extent, origin="lower")
    if level.min() < 0.5 < level.max():
        panel.contour(x, y, level, levels=[0.5], colors=[NEUTRAL], linewidths=2)
    for label in (0, 1):
        shown = points[labels == label].numpy()
        panel.scatter(
            shown[:, 0], shown[:, 1], color=COLORS[label], edgecolors="white", linewidths=1.2, s=60, zorder=3,
            label=f"class {label}", marker="os"[label],
        )  # fmt: skip
    panel.grid(visible=False)
    panel.set_aspect("equal")
    return image


def add_classes(figure: Figure, panel: Axes) -> None:
    """A legend of the classes of a panel, below all."""
    handles, names = panel.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=8, labelcolor=NEUTRAL)


def boundary_frame(
    level: Tensor, points: Tensor, labels: Tensor
) -> Tensor:  # (cells, cells), (N, 2), (N) -> (3, height, width) in [0, 1]
    """The probability of class 1 in the plane (rows: y, upwards) in few pixels, without axes, in a few milliseconds."""
    low, high = corners(points)
    size, level = SCALE * len(level), level.flip(0)
    level = F.interpolate(level[None, None], scale_factor=SCALE, mode="bilinear")[0, 0]
    first, middle, second = (torch.tensor(to_rgb(color))[:, None, None] for color in (COLORS[0], MIDDLE, COLORS[1]))
    pixels = torch.where(level < 0.5, first.lerp(middle, 2 * level), middle.lerp(second, 2 * level - 1))
    above = level > 0.5
    edge = F.pad(above[1:] != above[:-1], (0, 0, 0, 1)) | F.pad(above[:, 1:] != above[:, :-1], (0, 1))
    pixels = torch.where(edge, 0.2, pixels)
    places = (points - low) / (high - low) * (size - 1)
    for (right, up), label in zip(places.tolist(), labels.tolist(), strict=True):
        _dot(pixels, right, size - 1 - up, torch.tensor(to_rgb(COLORS[int(label)])))
    return pixels


def _dot(pixels: Tensor, x: float, y: float, color: Tensor) -> None:
    """Draw a point, with a white edge."""
    left, top = max(0, round(x) - RADIUS), max(0, round(y) - RADIUS)
    part = pixels[:, top : round(y) + RADIUS + 1, left : round(x) + RADIUS + 1]
    down, right = torch.meshgrid(*(torch.arange(size) for size in part.shape[1:]), indexing="ij")
    distance = ((down + top - y) ** 2 + (right + left - x) ** 2).sqrt()
    part.copy_(torch.where(distance <= RADIUS, torch.where(distance <= RADIUS - 2, color[:, None, None], 1.0), part))


def boundary_over_time(frames: Sequence[tuple[int, Tensor]]) -> Figure:
    """Small pictures of `boundary_frame`, each with its step."""
    figure, axes = panels(len(frames), columns=4, width=2.0, height=2.2)
    for panel, (step, frame) in zip(axes, frames, strict=True):
        panel.imshow(frame.permute(1, 2, 0).numpy())
        panel.set_title(f"step {step:,}", fontsize=9)
        panel.set_axis_off()
    return figure
