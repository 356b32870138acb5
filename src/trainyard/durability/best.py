"""The best weights, kept apart from the resume points."""

import os
import shutil
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from trainyard.collectives import rank

KEPT = ".best-of-"  # beginning of the second name of best weights, which ends with that of the resume point


class Best(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which a resumed run finds as it was at the resume point.

    It keeps its scores when the run directory was moved, and its latest score. The file of each resume point's best
    weights gets a second name (a hard link, .best-of-<resume point>), because a run that was killed may have replaced
    it by weights of a later step, which the resumed one need not reach.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept, self.is_fitting = "", False  # kept: the second name at the latest resume point

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self.is_fitting = stage == "fit"

    def keep_for(self, point: Path) -> None:
        """Give the best weights a second name, before the resume point is written."""
        self.kept = KEPT + point.name
        if self.best_model_path:
            link(Path(self.best_model_path), Path(self.dirpath or "") / self.kept)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "kept": self.kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(self.dirpath or "") / Path(path).name) if path else path

        paths = {name: here(path) for name, path in state_dict.items() if name.endswith("_path")}
        kept = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": kept, "dirpath": self.dirpath})
        self.current_score, self.kept = state_dict["current_score"], state_dict.get("kept", "")
        if self.is_fitting and self.kept and self.best_model_path and rank() == 0:
            best, second = Path(self.best_model_path), Path(here(self.kept))
            link(second, best) if second.exists() else link(best, second)


def link(file: Path, name: Path) -> None:
    """Give a file another name, replacing what had it; a copy on a file system without hard links."""
    if not file.exists() or (name.exists() and name.samefile(file)):
        return
    part = name.with_name(f".{name.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(file, part)
    except OSError:
        shutil.copyfile(file, part)
    part.replace(name)


def delete_kept(folder: Path) -> None:
    """Delete the second names of best weights whose resume points are gone."""
    for file in folder.glob(f"{KEPT}*.ckpt"):
        if not file.with_name(file.name.removeprefix(KEPT)).exists():
            file.unlink(missing_ok=True)
