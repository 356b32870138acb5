"""The best weights, kept apart from the resume points."""

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint


class Best(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which keeps its scores when the run directory was moved, and its latest score."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(self.dirpath or "") / Path(path).name) if path else path

        paths = {name: here(path) for name, path in state_dict.items() if name.endswith("_path")}
        kept = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": kept, "dirpath": self.dirpath})
        self.current_score = state_dict["current_score"]
