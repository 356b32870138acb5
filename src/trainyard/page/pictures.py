"""Pictures within the page, as data URIs: figures as SVG that adapts to the background, and PNG files."""

import base64
import io
import os
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from trainyard.figures.style import NEUTRAL
from trainyard.files import read_small

PNG = b"\x89PNG\r\n\x1a\n"
MAX_PICTURE, MAX_PICTURES, MAX_TOTAL = 4 << 20, 24, 16 << 20  # bytes, number, bytes: the page can be mailed
SKIPPED = ("checkpoints", "projector")  # folders
ADAPT = "<style>svg{color:#59636e}@media(prefers-color-scheme:dark){svg{color:#9aa4ae}}</style>"


def as_svg(figure: Figure) -> str:
    """The figure as a data URI; what is gray in it takes the color of the page's own soft text."""
    stream = io.StringIO()
    with rc_context({"svg.hashsalt": "trainyard", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue().replace(NEUTRAL, "currentColor")
    start, end = text.index("<svg"), text.index(">", text.index("<svg")) + 1
    return uri("image/svg+xml", (text[start:end] + ADAPT + text[end:]).encode())


def uri(kind: str, content: bytes) -> str:
    """The content as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def find_pictures(folder: Path) -> tuple[list[tuple[str, str]], int]:
    """The PNG files of a run by name, as data URIs, and how many more were left out; no link is followed."""
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("."))
        files += [Path(place) / name for name in sorted(names) if name.lower().endswith(".png")]
    found, total, left_out = [], 0, 0
    for file in files:
        try:
            content = b"" if file.is_symlink() else read_small(file, MAX_PICTURE)
        except OSError:
            content = b""
        total += len(content)
        if not content.startswith(PNG) or len(found) == MAX_PICTURES or total > MAX_TOTAL:
            left_out += 1
            continue
        found.append((str(file.relative_to(folder)), uri("image/png", content)))
    return found, left_out
