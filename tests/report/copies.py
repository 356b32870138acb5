"""Run directories with scores of their own, made from a real one."""

import json
import re
import shutil
from pathlib import Path


def copy_run(
    source: Path, folder: Path, seed: int = 0, lr: float | None = None, metric: str = "accuracy", mode: str = "max",
    **scores: float,
) -> Path:  # fmt: skip
    """A copy of a run with another seed and learning rate, monitored by val/`metric`; `scores`: val, test."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("checkpoints", "events*"))
    config = folder / "config.resolved.yaml"
    text = re.sub(r"(?m)^seed: 0$", f"seed: {seed}", config.read_text())
    text = re.sub(r"(?m)^mode: max$", f"mode: {mode}", text)
    config.write_text(text if lr is None else re.sub(r"(?m)^  lr: .*$", f"  lr: {lr}", text))
    summary = json.loads((folder / "summary.json").read_text())
    summary["monitor"] = f"val/{metric}"
    for key, name in (("best", "val"), ("test", "test")):
        summary[key] = {**summary[key], **({f"{name}/{metric}": scores[name]} if name in scores else {})}
    (folder / "summary.json").write_text(json.dumps(summary))
    if lr is not None:
        words = folder / "overrides.yaml"
        words.write_text(f"{words.read_text()}- optimizer.lr={lr}\n")
    return folder
