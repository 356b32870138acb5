"""The scores of a training at its end, as summary.json and as a table."""

import json
import logging
from pathlib import Path
from typing import Any

from lightning import Trainer
from omegaconf import DictConfig
from rich.table import Table

from trainyard.files import write_durably
from trainyard.loggers.metrics_lines import usual_name
from trainyard.logs import render
from trainyard.runs.directory import SUMMARY
from trainyard.tasks.lightning_module import network_of

log = logging.getLogger(__name__)
SPEED = "throughput/samples_per_second"


def summarize(cfg: DictConfig, rows: list[dict[str, Any]], trainer: Trainer, seconds: float) -> dict[str, Any]:
    """Scores (`rows` are what was logged): validation in its best epoch, test, time and speed.

    Their names are those that they were logged by; a LightningModule's val_loss becomes val/loss, as in every other
    run. Where nothing is monitored, the last epoch is the best one. `best_epoch` counts from 0, as `epoch` in
    metrics.jsonl and Lightning's own; what is printed counts from 1.
    """
    scored = [row for row in rows if row.get(cfg.monitor) is not None]
    select = min if cfg.mode == "min" else max
    best = select(scored, key=lambda row: row[cfg.monitor]) if scored else {}
    if cfg.monitor is None:
        best = next((row for row in reversed(rows) if any(usual_name(name).startswith("val/") for name in row)), {})
    monitor = usual_name(cfg.monitor, "val") if cfg.monitor else None
    shown = {usual_name(name, "val" if name == cfg.monitor else ""): value for name, value in best.items()}
    tested = {usual_name(name): value for name, value in rows[-1].items()} if rows else {}
    speeds = sorted(row[SPEED] for row in rows if row.get(SPEED))
    module = trainer.lightning_module
    return {
        "name": cfg.run.name,
        "seed": cfg.seed,
        "monitor": monitor,
        "score": best.get(str(cfg.monitor)),
        "best_epoch": best.get("epoch"),
        "best": {name: value for name, value in shown.items() if name.startswith("val/")},
        "test": {name: value for name, value in tested.items() if name.startswith("test/")},
        "limited": limits(cfg),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "parameters": sum(p.numel() for p in network_of(module).parameters()),
        "seconds": round(seconds, 2),
        "samples_per_second": round(speeds[len(speeds) // 2], 1) if speeds else None,
    }


def limits(cfg: DictConfig) -> dict[str, str]:
    """On how much of its split a score was computed, in words, for val and test where that is not the whole."""
    found = {}
    for split in ("val", "test"):
        limit = cfg.trainer.get(f"limit_{split}_batches")
        if isinstance(limit, int):
            found[split] = f"{limit} batch{'' if limit == 1 else 'es'} of it"
        elif limit not in (None, 1.0):
            found[split] = f"{limit:.3g} of it"
    return found


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write summary.json, which makes a run a finished one."""
    write_durably(path / SUMMARY, lambda file: file.write((json.dumps(summary, indent=2) + "\n").encode()))


def print_summary(summary: dict[str, Any], path: Path, root: Path, has_curves: bool) -> None:
    """Print a table of the scores, the run directory and, if TensorBoard has them, how to see the curves."""
    table = Table(title=summary["name"], title_justify="left", title_style="bold")
    table.add_column("score")
    for split, heading in (("val", "validation, best epoch"), ("test", "test")):
        part = summary["limited"].get(split)
        table.add_column(f"{heading} ({part})" if part else heading, justify="right")
    for name in dict.fromkeys(key.split("/", 1)[1] for key in (*summary["best"], *summary["test"])):
        values = (summary["best"].get(f"val/{name}"), summary["test"].get(f"test/{name}"))
        table.add_row(name, *("" if value is None else f"{value:.4f}" for value in values))
    speed = summary["samples_per_second"]
    folder = root if path.resolve().is_relative_to(root.resolve()) else path
    log.info(
        "%s\n%s, best %s, %.1f s%s\nrun:    %s%s",
        render(table) if table.rows else f"{summary['name']}: no score of a validation or a test was logged",
        "1 epoch" if summary["epochs"] == 1 else f"{summary['epochs']} epochs",
        "none" if summary["best_epoch"] is None else int(summary["best_epoch"]) + 1,
        summary["seconds"],
        f", {speed:,.0f} samples/s" if speed else "",
        path,
        f"\ncurves: tensorboard --logdir {folder}" if has_curves else "",
    )
