"""A text whose words are colored by an explanation: as a picture, and as a page."""

from collections.abc import Sequence
from html import escape

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from torch import Tensor

from trainyard.figures.colors import word_colors

WIDTH, MARGIN, SIZE = 620.0, 18.0, 12.0  # points
LINE, GAP = 1.75 * SIZE, 5.0
FONT = FontProperties(family="DejaVu Sans", size=SIZE)
LEGENDS = {
    True: "red words speak for the class, blue ones against it; the strongest by {:+.3g}",
    False: "the darker a word, the more it counts; at most {:.3g}",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 17px/1.9 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.1rem }} p.legend {{ font-size: .85rem }}
span {{ padding: .1em .2em; border-radius: .2em; overflow-wrap: anywhere; unicode-bidi: isolate }}
</style></head><body>
<h1>{title}</h1>
<p class="legend">{legend}</p>
<p>{words}</p>
</body></html>
"""


def words_page(words: Sequence[str], values: Tensor, title: str, signed: bool, note: str = "") -> str:
    """An HTML page without a script; the value of a word is shown where the mouse rests on it."""
    spans = [
        f'<span style="background:{back};color:{front}" title="{value:+.4g}">{escape(word)}</span>'
        for word, value, (back, front) in zip(words, values.tolist(), word_colors(values, signed), strict=True)
    ]
    legend = "<br>".join(escape(line) for line in (legend_of(values, signed), note) if line)
    return PAGE.format(title=escape(title), legend=legend, words=" ".join(spans))


def words_figure(words: Sequence[str], values: Tensor, title: str, signed: bool) -> Figure:
    """The words in lines, each on its color."""
    shown = [drawable(word) for word in words]
    places, bottom = layout(shown)
    top = 2 * LINE + MARGIN
    height = top + bottom + MARGIN
    figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor="white")
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.set_axis_off()
    text = {"parse_math": False, "va": "center", "family": "DejaVu Sans"}
    page.text(MARGIN, MARGIN, drawable(title), fontsize=SIZE, color="black", weight="bold", **text)
    page.text(MARGIN, MARGIN + LINE, legend_of(values, signed), fontsize=0.75 * SIZE, color="#444444", **text)
    for word, (x, y, width), (back, front) in zip(shown, places, word_colors(values, signed), strict=True):
        page.add_patch(Rectangle((x - 2, top + y - LINE / 2 + 1), width + 4, LINE - 2, color=back, linewidth=0))
        page.text(x, top + y, word, fontsize=SIZE, color=front, **text)
    return figure


def layout(words: Sequence[str], left: float = MARGIN) -> tuple[list[tuple[float, float, float]], float]:
    """The place (x, y) and the width of each word, and the height of all lines, in points; lines begin at `left`."""
    places, x, y = [], left, LINE / 2
    for word in words:
        width = text_to_path.get_text_width_height_descent(word, FONT, ismath=False)[0]
        if x > left and x + width > WIDTH - MARGIN:
            x, y = left, y + LINE
        places.append((x, y, width))
        x += width + GAP
    return places, y + LINE / 2


def legend_of(values: Tensor, signed: bool) -> str:
    """What the colors mean, and the value of the strongest one."""
    flat = values.flatten()
    return LEGENDS[signed].format(float(flat[flat.abs().argmax()]))


def drawable(text: str, most: int = 120) -> str:
    """The text in one line, without characters that the font lacks, at most `most` long."""
    font = get_font(findfont(FONT))
    known = "".join(letter if font.get_char_index(ord(letter)) else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return known if len(known) <= most else known[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
