"""What each attention head of each block attends to."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from trainyard.figures.colors import MAPS
from trainyard.figures.heat_map import show_image
from trainyard.figures.words import drawable

NAMED = 24  # words, up to which the axes have them


def head_maps(maps: Tensor, image: Tensor, title: str, blocks: Sequence[int] = ()) -> Figure:
    """(depth, heads, H, W), (C, H, W) -> the image, and a row of maps for each block; each map has its own scale.

    `blocks` are their numbers, by default from 1 on.
    """
    figure, panels = _grid(maps, title, 1.5, 1, blocks)
    for row in panels:
        row[0].set_axis_off()
    show_image(panels[0][0], image)
    panels[0][0].set_title("input", fontsize=8, color="black")
    for row, block in zip(panels, maps, strict=True):
        for panel, values in zip(row[1:], block, strict=True):
            panel.imshow(values.numpy(), cmap=MAPS["unsigned"], vmin=0)
    return figure


def head_matrices(weights: Tensor, words: Sequence[str], title: str, blocks: Sequence[int] = ()) -> Figure:
    """(depth, heads, T, T), T words -> a row of matrices for each block: queries down, keys across, from 0 to 1."""
    few = len(words) <= NAMED
    figure, panels = _grid(weights, title, max(1.8, 0.17 * len(words)) if few else 2.6, 0, blocks)
    names = [drawable(word) for word in words]
    for y, (row, block) in enumerate(zip(panels, weights, strict=True)):
        for x, (panel, values) in enumerate(zip(row, block, strict=True)):
            shown = panel.imshow(values.numpy(), cmap=MAPS["unsigned"], vmin=0, vmax=1)
            if few and x == 0:
                panel.set_yticks(range(len(names)), names, fontsize=7, parse_math=False)
            if few and y == len(panels) - 1:
                panel.set_xticks(range(len(names)), names, fontsize=7, rotation=90, parse_math=False)
    bar = figure.colorbar(shown, ax=list(panels.flat), fraction=0.02, pad=0.01)
    bar.set_label("attention of a word (row) to a word (column)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def _grid(maps: Tensor, title: str, side: float, more: int, blocks: Sequence[int]) -> tuple[Figure, np.ndarray]:
    """A figure with a panel for each head, and `more` columns before them."""
    depth, heads = maps.shape[:2]
    figure = Figure(figsize=(side * (heads + more) + 1.6, side * depth + 1.2), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=11, parse_math=False, color="black")
    panels = figure.subplots(depth, heads + more, squeeze=False)
    for y, row in enumerate(panels):
        row[more].set_ylabel(f"block {blocks[y] if blocks else y + 1}", fontsize=8)
        for x, panel in enumerate(row[more:]):
            panel.set_xticks([])
            panel.set_yticks([])
            if y == 0:
                panel.set_title(f"head {x + 1}", fontsize=8, color="black")
    return figure, panels
