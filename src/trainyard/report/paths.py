"""Several run directories in one text, as a shell would expand it: outputs/sweeps/name/{0,1,2}."""

import os
from collections.abc import Sequence
from pathlib import Path


def one_path(paths: Sequence[Path], width: int | None = None) -> str:
    """The paths, relative to the current folder if they are below it; of many, as many as fit into the width."""
    here = [path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path for path in paths]
    if len(here) == 1 or len({path.is_absolute() for path in here}) > 1:
        return " ".join(map(str, here))
    common = Path(os.path.commonpath(here))
    names = [str(path.relative_to(common)) for path in here]
    for shown in range(len(names), 0, -1):
        rest = f" and {len(names) - shown} more" if shown < len(names) else ""
        text = f"{common / '{'}{','.join(names[:shown])}}}{rest}"
        if width is None or len(text) <= width:
            break
    return text
