"""Samples that a classifier was sure of and wrong about."""

from collections.abc import Sequence
from textwrap import shorten, wrap
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from trainyard.figures.words import drawable

COLUMNS, LINES, WIDTH = 4, 2, 100  # images in a row; lines of a text, letters in each
NAME = 18  # letters of a class's name


class Mistake(NamedTuple):
    """A prediction that is wrong."""

    label: str
    guess: str
    probability: float

    def __str__(self) -> str:
        return f"{drawable(self.guess, NAME)} {100 * self.probability:.1f} %"


def image_mistakes(images: Tensor, mistakes: Sequence[Mistake], title: str) -> Figure:  # (N, C, H, W) in [0, 1]
    """The images in rows, each with its prediction above and its label below."""
    rows = -(-len(mistakes) // COLUMNS)
    figure = Figure(figsize=(7.2, 0.4 + 2.2 * rows), facecolor="white")
    figure.suptitle(title, fontsize=9, color="black", y=1 - 0.12 / figure.get_figheight())
    page = figure.add_axes((0, 0, 1, 1 - 0.4 / figure.get_figheight()))
    page.set_axis_off()
    text = {"ha": "center", "fontsize": 8, "parse_math": False}
    for place, (image, mistake) in enumerate(zip(images, mistakes, strict=True)):
        x, y = 1.8 * (place % COLUMNS), 2.2 * (place // COLUMNS)  # inches, downwards
        pixels = image.permute(1, 2, 0) if len(image) == 3 else image.mean(0)
        wide, high = (0.8 * size / max(pixels.shape[:2]) for size in (pixels.shape[1], pixels.shape[0]))
        extent = (x + 0.9 - wide, x + 0.9 + wide, y + 1.05 + high, y + 1.05 - high)
        page.imshow(pixels.clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
        page.text(x + 0.9, y + 0.2, str(mistake), color="#b3261e", va="bottom", **text)
        page.text(x + 0.9, y + 1.9, f"label: {drawable(mistake.label, NAME)}", color="black", va="top", **text)
    page.set(xlim=(0, 7.2), ylim=(2.2 * rows, 0))
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
        heading = f"{mistake}, label: {drawable(mistake.label, NAME)}"
        figure.text(0.02, y / height, heading, fontsize=9, color="#b3261e", **options)
        figure.text(0.02, (y - 0.2) / height, "\n".join(lines), fontsize=8, color="black", linespacing=1.3, **options)
        y -= 0.42 + 0.17 * len(lines)
    return figure
