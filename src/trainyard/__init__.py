"""Trainyard: research training on PyTorch Lightning and Hydra.

From Python: `run = trainyard.train(["model=mlp", "data=xor"])` trains, and `trainyard.load("outputs/...")` opens a run
(or "latest") for `run.predict(x)`, `run.generate(prompt)` and `run.summary`; `trust=True` runs the code that someone
else's run names, `overrides=["data.root=..."]` change its config. Both return a `Run`. `trainyard.ls("outputs")` lists
runs, as rows or as a DataFrame of pandas.
"""

import os
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainyard.catalog.ls import ls
    from trainyard.cli.main import main
    from trainyard.runs.load import load
    from trainyard.runs.run import Run
    from trainyard.training.launch import train

# Before torch is imported. An idle thread of GNU's OpenMP spins 300,000 times for work before it sleeps; where another
# program wants one of the cores, a training on all of them then takes ten times as long, or more (benchmarks/busy.py).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

__all__ = ["Run", "load", "ls", "main", "train"]
_MODULES = {
    "Run": "trainyard.runs.run", "load": "trainyard.runs.load", "ls": "trainyard.catalog.ls",
    "main": "trainyard.cli.main", "train": "trainyard.training.launch",
}  # fmt: skip
__version__ = version("trainyard")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that --help and mistyped overrides need not wait for torch."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'trainyard' has no attribute '{name}'")


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet."""
    return sorted({*globals(), *_MODULES})
