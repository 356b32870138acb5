"""Open a run by its directory, by one of its checkpoints, or as the latest one."""

from collections.abc import Sequence
from pathlib import Path

from trainyard.errors import short_traceback
from trainyard.runs.find import find_run
from trainyard.runs.run import Run


@short_traceback
def load(path: str | Path, overrides: Sequence[str] = (), trust: bool = False) -> Run:
    """Open a run for reading: `load("outputs/...").predict(x)`; `overrides` and `trust` are those of `Run`.

    `path` is a run directory, its checkpoints/best.ckpt or last.ckpt (whose weights are used then), or "latest", the
    newest finished run below outputs/.
    """
    folder, checkpoint = find_run(path)
    run = Run(folder, [word for word in overrides if word != "debug=true"], trust)
    run.checkpoint = checkpoint
    return run
