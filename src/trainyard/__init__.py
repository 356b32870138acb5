"""Trainyard: research training on PyTorch Lightning and Hydra.

From Python: `run = trainyard.train(["model=mlp", "data=xor"])`, `trainyard.Run("outputs/...").predict(x)`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainyard.__main__ import main
    from trainyard.launch import train
    from trainyard.run import Run

__all__ = ["Run", "main", "train"]
_HOMES = {"Run": "trainyard.run", "main": "trainyard.__main__", "train": "trainyard.launch"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that --help and typos need not wait for torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'trainyard' has no attribute '{name}'")
