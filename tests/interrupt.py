"""Runs that were cut off: by a crash after some batches, or as copies of a whole run at one of its resume points."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback

import trainyard
from trainyard.trust.signature import SIGNED_FILES, sign

VALIDATED = "validated"  # marks the first resume point after a validation


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


class Archive(Callback):
    """Keep each resume point, with the best weights of that moment: a folder for each, named after its step."""

    def __init__(self, folder: str) -> None:
        self.folder, self.has_validated = Path(folder), False

    def on_validation_end(self, trainer, pl_module) -> None:
        self.has_validated = True

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        checkpoints = Path(trainer.default_root_dir) / "checkpoints"
        for point in checkpoints.glob("resume-*.ckpt"):
            moment = self.folder / point.stem
            if not moment.exists():
                moment.mkdir(parents=True)
                for file in (point, *checkpoints.glob("best.ckpt")):
                    os.link(file, moment / file.name)  # checkpoints are replaced, never written to
                if self.has_validated:
                    (moment / VALIDATED).touch()
                    self.has_validated = False


def archived(words: list[str], path: Path) -> tuple[trainyard.Run, dict[str, Path]]:
    """A whole run, and the folders of some of its resume points by where in the run they are."""
    folder = path.with_name(f"{path.name}-points")
    callback = f"+callbacks.archive={{_target_: interrupt.Archive, folder: {folder}}}"
    run = trainyard.train([*words, f"run.dir={path}", callback])
    moments = sorted(folder.iterdir())
    edge = next(i for i, moment in enumerate(moments) if _batches(moment) == 0)
    validated = next((i for i, moment in enumerate(moments) if (moment / VALIDATED).exists()), edge)
    places = {validated: "after a validation", edge: "between epochs", edge - 1: "last batch of an epoch",
              0: "first batch"}  # fmt: skip
    return run, {name: moments[i] for i, name in places.items()}


def as_if_killed(run: trainyard.Run, moment: Path, path: Path) -> None:
    """Leave in `path` what a kill would have left of the run, soon after it had written that resume point."""
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns("checkpoints", "summary.json", "status.json"))
    shutil.copytree(moment, path / "checkpoints")


def _batches(moment: Path) -> Any:
    """How many batches of its epoch are completed in a resume point."""
    loops = torch.load(moment / f"{moment.name}.ckpt", weights_only=True)["loops"]["fit_loop"]
    return loops["epoch_loop.batch_progress"]["current"]["completed"]
