"""An explained prediction: its values, its picture, its page."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from trainyard.explain.checks import Checks
from trainyard.figures.attention_heads import head_maps, head_matrices
from trainyard.figures.heat_map import heat_map
from trainyard.figures.hyperedges import hyperedges_figure
from trainyard.figures.words import words_figure, words_page
from trainyard.files import write_durably

DPI = 120


@dataclass(frozen=True)
class Explanation:
    """What a method says about one input. `values` are (H, W) of an image, one a word of a text, else one a number.

    With the method `heads` they are (depth, heads, ...): the patches that the class token attends to, or of texts the
    words (columns) that each word (row) attends to; with `hyperedges` (hyperedges, words), the part of each word,
    through each hyperedge, in what the head reads.
    """

    name: str
    method: str
    prediction: str
    probability: float  # of the prediction
    target: str  # the class that is explained
    target_probability: float
    values: Tensor
    signed: bool
    label: str | None = None
    image: Tensor | None = None  # (C, H, W) in [0, 1]
    words: list[str] = field(default_factory=list)
    numbers: Tensor | None = None  # of an input that is neither
    notes: tuple[str, ...] = ()  # completeness, unknown words, ...
    checks: Checks | None = None

    @property
    def title(self) -> str:
        """The prediction, the class that is explained if it is another, and the label if it is known."""
        parts = [f"{self.prediction} ({100 * self.probability:.1f} %)"]
        if self.target != self.prediction:
            parts.append(f"explained: {self.target} ({100 * self.target_probability:.1f} %)")
        if self.label is not None:
            parts.append(f"label: {self.label}")
        return ", ".join([*parts, self.method])

    @property
    def slug(self) -> str:
        """A name for files: that of the input's file, or the first words of a text."""
        last = self.name if " " in self.name else Path(self.name).stem
        return re.sub(r"\W+", "_", last).strip("_")[:40] or "input"

    def figure(self) -> Figure | None:
        """The picture; None for an input that is neither an image nor a text."""
        if self.image is not None:
            if self.method == "heads":
                return head_maps(self.values, self.image, self.title)
            return heat_map(self.image, self.values, self.title, self.signed)
        if not self.words:
            return None
        if self.method == "heads":
            return head_matrices(self.values, self.words, self.title)
        if self.method == "hyperedges":
            return hyperedges_figure(self.words, self.values, self.title)
        return words_figure(self.words, self.values, self.title, self.signed)

    def page(self) -> str | None:
        """A text as an HTML page; None for anything else."""
        if not self.words or self.values.ndim > 1:
            return None
        return words_page(self.words, self.values, self.title, self.signed, "\n".join(self.notes))

    def table(self) -> str:
        """Each number of an input that is neither an image nor a text, with its value; empty for those."""
        if self.numbers is None:
            return ""
        rows = zip(self.numbers.flatten().tolist(), self.values.flatten().tolist(), strict=True)
        return "\n".join(f"{place:>5}{number:>12.4g}{value:>+14.4f}" for place, (number, value) in enumerate(rows))

    def save(self, folder: str | Path, name: str = "") -> list[Path]:
        """Write the picture, and of a text the page, as NAME_METHOD.png and .html into a folder; return the files."""
        stem, files = f"{name or self.slug}_{self.method}", []
        if (figure := self.figure()) is not None:
            files.append(Path(folder) / f"{stem}.png")
            write_durably(files[-1], lambda file: figure.savefig(file, dpi=DPI, format="png"))
        if (page := self.page()) is not None:
            files.append(Path(folder) / f"{stem}.html")
            write_durably(files[-1], lambda file: file.write(page.encode()))
        return files
