"""Samples that a classifier was sure of and wrong about."""

from collections.abc import Sequence
from textwrap import shorten, wrap
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from trainyard.figures.heat_map import show_image
from trainyard.figures.words import drawable

COLUMNS, LINES, WIDTH = 4, 3, 100  # images in a row; lines of a text, letters in each


class Mistake(NamedTuple):
    """A prediction that is wrong."""

    label: str
    guess: str
    probability: float

    def __str__(self) -> str:
        return f"{shorten_name(self.guess)} {100 * self.probability:.1f} %"


def shorten_name(name: str, most: int = 18) -> str:
    """The name of a class, with its middle left out if it is long."""
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def image_mistakes(images: Tensor, mistakes: Sequence[Mistake], title: str) -> Figure:  # (N, C, H, W) in [0, 1]
    """The images in rows, each with its prediction above and its label below."""
    rows = -(-len(mistakes) // COLUMNS)
    figure = Figure(figsize=(7.2, 0.5 + 2.15 * rows), facecolor="white")
    figure.suptitle(title, fontsize=9, color="black")
    top = 1 - 0.75 / figure.get_figheight()
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.28 / figure.get_figheight(), top=top, hspace=0.4, wspace=0.1)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for panel in panels:
        panel.set_axis_off()
    text = {"ha": "center", "fontsize": 8, "parse_math": False}
    for panel, image, mistake in zip(panels, images, mistakes, strict=False):
        show_image(panel, image)
        panel.text(0.5, 1.03, drawable(str(mistake)), color="#b3261e", va="bottom", transform=panel.transAxes, **text)
        label = f"label: {shorten_name(mistake.label)}"
        panel.text(0.5, -0.03, drawable(label), color="black", va="top", transform=panel.transAxes, **text)
    return figure


def text_mistakes(texts: Sequence[str], mistakes: Sequence[Mistake], title: str) -> Figure:
    """The beginnings of the texts, each below its prediction and its label."""
    cut = [shorten(drawable(text, 2000), LINES * WIDTH, placeholder=" ...") for text in texts]
    paragraphs = [wrap(text, WIDTH)[:LINES] for text in cut]
    height = 0.5 + sum(0.42 + 0.17 * len(lines) for lines in paragraphs)  # inches
    figure = Figure(figsize=(8, height), facecolor="white")
    options = {"va": "top", "parse_math": False}
    figure.text(0.02, 1 - 0.12 / height, title, fontsize=9, color="black", **options)
    y = height - 0.45
    for lines, mistake in zip(paragraphs, mistakes, strict=True):
        heading = drawable(f"{mistake}, label: {shorten_name(mistake.label)}")
        figure.text(0.02, y / height, heading, fontsize=9, color="#b3261e", **options)
        figure.text(0.02, (y - 0.2) / height, "\n".join(lines), fontsize=8, color="black", linespacing=1.3, **options)
        y -= 0.42 + 0.17 * len(lines)
    return figure
