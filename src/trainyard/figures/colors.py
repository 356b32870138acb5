"""Color scales of attributions: diverging where the sign matters, else sequential; both are even to the eye."""

from matplotlib import colormaps
from matplotlib.colors import to_hex
from torch import Tensor

MAPS = {"signed": "RdBu_r", "unsigned": "viridis"}  # of images: blue against, red for; dark little, bright much
WORDS = {"signed": "RdBu_r", "unsigned": "Oranges"}  # of words on paper: white is nothing
WORDS_RANGE = 0.8  # of the scale, so that the ends stay light enough to read


def limit(values: Tensor, part: float = 1.0) -> float:
    """The end of the scale: what `part` of the sizes do not exceed; 1 where all values are zero."""
    sizes = values.abs().flatten().sort().values
    end = float(sizes[min(len(sizes) - 1, int(part * len(sizes)))])
    return end or float(sizes[-1]) or 1.0


def word_colors(values: Tensor, signed: bool) -> list[tuple[str, str]]:
    """For each value the color of its background and, black or white, of the text on it, as #rrggbb."""
    scaled = WORDS_RANGE * (values / limit(values)).clamp(-1, 1)
    scale = colormaps[WORDS["signed" if signed else "unsigned"]]
    found = []
    for value in scaled.tolist():
        red, green, blue, _ = scale((value + 1) / 2 if signed else max(0.0, value))
        found.append((to_hex((red, green, blue)), "#000000" if luminance(red, green, blue) > 0.18 else "#ffffff"))
    return found


def luminance(*color: float) -> float:
    """The relative luminance of an sRGB color, as WCAG defines it; black or white reads equally well at 0.18."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in map(float, color)]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
