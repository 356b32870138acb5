"""End a training after some batches, with nothing saved but what was before."""

from pathlib import Path

import pytest
from lightning import Callback

import trainyard
from trainyard.trust.signature import SIGNED_FILES, sign


class CutError(RuntimeError):
    pass


class Interrupt(Callback):
    def __init__(self, after: int) -> None:
        self.after, self.seen = after, 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.seen += 1
        if self.seen == self.after:
            raise CutError


def cut_off(words: list[str], path: Path, after: int) -> None:
    """Leave in `path` a run that crashed after so many batches, and would not do so again."""
    callback = f"+callbacks.interrupt={{_target_: interrupt.Interrupt, after: {after}}}"
    with pytest.raises(CutError):
        trainyard.train([*words, f"run.dir={path}", callback])
    for name in ("config.yaml", "config.resolved.yaml"):
        file = path / name
        file.write_text(file.read_text().replace(f"after: {after}", "after: -1"))
    sign(path, {name: (path / name).read_bytes() for name in SIGNED_FILES})
