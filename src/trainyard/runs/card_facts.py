"""What a run says about itself in the card of an exported network."""

import shlex
from typing import Any

from lightning import LightningDataModule

from trainyard.durability.run_lock import read_status
from trainyard.files import read_mapping
from trainyard.runs.directory import ENVIRONMENT, SUMMARY
from trainyard.runs.opened import OpenedRun
from trainyard.tasks.base import Task

DATA_FACTS = (
    "shape", "classes", "vocab_size", "max_length", "tokenizer", "truncation_side", "augment", "mix", "val_fraction",
    "folds", "fold", "fraction", "split_seed",
)  # fmt: skip


def card_facts(run: OpenedRun, task: Task, data: LightningDataModule) -> dict[str, Any]:
    """Data, scores, command, date and versions, as plain values. What the run lacks is left out."""
    summary, environment = (read_mapping(run.path / name) for name in (SUMMARY, ENVIRONMENT))
    best, test = summary.get("best") or {}, summary.get("test") or {}
    names = dict.fromkeys(key.partition("/")[2] for key in (*best, *test))
    packages = environment.get("packages") or {}
    data_name = run.cfg.data.get("_target_", "").rpartition(".")[2]
    number = getattr(task, "num_classes", None)
    return {
        "name": run.cfg.run.get("name") or run.path.parent.name,
        "network": type(task.net).__name__,
        "parameters": sum(weight.numel() for weight in task.net.parameters()),
        "data": data_name,
        "classes": list(getattr(data, "classes", None) or map(str, range(number or 0))),
        "data_facts": {"name": data_name, **{key: run.cfg.data.get(key) for key in DATA_FACTS}, **_splits(environment)},
        "scores": {name: (best.get(f"val/{name}"), test.get(f"test/{name}")) for name in names},
        "limited": summary.get("limited") or {},
        "origin": {
            "run": run.path.name,
            "weights": f"checkpoints/{run.checkpoint}.ckpt",
            "seed": run.cfg.get("seed"),
            "epochs": summary.get("epochs"),
            "training time": f"{summary['seconds']:,.0f} s" if summary.get("seconds") else None,
            "date": str(read_status(run.path).get("time", ""))[:10],
            "machine": environment.get("cpu"),
            "GPUs": environment.get("gpus"),
            "git commit": environment.get("git_commit"),
            "versions": ", ".join(f"{key} {packages[key]}" for key in ("trainyard", "torch") if key in packages),
        },
        "command": shlex.join(map(str, environment.get("command") or [])) or "unknown",
    }


def _splits(environment: dict[str, Any]) -> dict[str, str]:
    """How many samples each split has, and the digest of its content."""
    found = environment.get("data")
    return {f"{split} split": str(text) for split, text in found.items()} if isinstance(found, dict) else {}
