"""Run directories of every state, made from the files that a run writes, in milliseconds."""

import json
import os
import socket
import time
from pathlib import Path

CONFIG = (
    "seed: 0\nmonitor: val/accuracy\nmode: max\nmodel:\n  _target_: trainyard.models.mlp.MLP\n  widths:\n  - 8\n  - 4\n"
)
CONFIG += "optimizer:\n  lr: {lr}\ndata:\n  _target_: trainyard.data.xor.XOR\n"


def make_run(
    folder: Path, state: str = "done", score: float | None = None, lr: str = "0.001", model: str = "mlp",
    host: str = "", days: float = 0.0, **status: object,
) -> Path:  # fmt: skip
    """A run directory of that state; with a `score` it has a summary. `days` ago it was last written."""
    folder.mkdir(parents=True)
    (folder / "config.resolved.yaml").write_text(CONFIG.format(lr=lr))
    (folder / "choices.yaml").write_text(f"data: xor\nmodel: {model}\nsweep: null\n")
    (folder / "overrides.yaml").write_text(f"- model={model}\n")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"\0" * 1000)
    content = {"state": state, "host": host or socket.gethostname(), "pid": 1, "attempt": 1, **status}
    (folder / "status.json").write_text(json.dumps(content))
    if score is not None:
        summary = {"monitor": "val/accuracy", "score": score, "test": {"test/accuracy": score - 0.1}}
        (folder / "summary.json").write_text(json.dumps(summary))
    for file in [folder, *folder.rglob("*")]:
        os.utime(file, (time.time() - 86400 * days,) * 2)
    return folder


def make_study(folder: Path) -> Path:
    """A sweep with three trials: done, pruned (which ended as any other training), and one that diverged."""
    make_run(folder / "0000", score=0.9)
    make_run(folder / "0001", score=0.3)
    make_run(folder / "0002", "failed", error="NonFiniteLossError: the loss is nan")
    (folder / "trials.csv").write_text("trial,state,run\n0,complete,0000\n1,pruned,0001\n2,pruned,0002\n")
    return folder
