"""The end of a training: best and test scores, as a summary, a table and TensorBoard's hparams."""

import logging
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from torch.utils.tensorboard.summary import hparams as hparams_summaries

log = logging.getLogger(__name__)
SPEED = "throughput/samples_per_second"
ASIDE = ("run.", "hydra.", "callbacks.pruning.", "hardware.threads", "trainer.enable_progress_bar", "test")  # of words


def summarise(cfg: DictConfig, rows: list[dict[str, Any]], trainer: Trainer, seconds: float) -> dict[str, Any]:
    """Scores under the names they were logged by: validation at its best epoch, test, time and speed."""
    scored = [row for row in rows if row.get(cfg.monitor) is not None]
    pick = min if cfg.mode == "min" else max
    best = pick(scored, key=lambda row: row[cfg.monitor]) if scored else {}
    speeds = sorted(row[SPEED] for row in rows if row.get(SPEED))
    module = trainer.lightning_module
    return {
        "name": cfg.run.name,
        "seed": cfg.seed,
        "monitor": cfg.monitor,
        "score": best.get(cfg.monitor),
        "best_epoch": best.get("epoch"),
        "best": {name: value for name, value in best.items() if name.startswith("val/")},
        "test": {name: value for name, value in rows[-1].items() if name.startswith("test/")} if rows else {},
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "parameters": sum(p.numel() for p in module.net.parameters()),  # pyright: ignore
        "seconds": round(seconds, 2),
        "samples_per_second": round(speeds[len(speeds) // 2], 1) if speeds else None,
    }


def print_results(summary: dict[str, Any], path: Path, root: Path) -> None:
    """A small table, the directory and how to see the curves."""
    table = Table(title=summary["name"], title_justify="left", title_style="bold")
    table.add_column("score")
    table.add_column("validation, best epoch", justify="right")
    table.add_column("test", justify="right")
    for name in dict.fromkeys(key.split("/", 1)[1] for key in (*summary["best"], *summary["test"])):
        values = (summary["best"].get(f"val/{name}"), summary["test"].get(f"test/{name}"))
        table.add_row(name, *("" if value is None else f"{value:.4f}" for value in values))
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    speed = summary["samples_per_second"]
    log.info(
        "%s%s epochs, best %s, %.1f s%s\nrun:    %s\ncurves: tensorboard --logdir %s",
        capture.get(),
        summary["epochs"],
        "none" if summary["best_epoch"] is None else int(summary["best_epoch"]) + 1,
        summary["seconds"],
        f", {speed:,.0f} samples/s" if speed else "",
        path,
        root if path.resolve().is_relative_to(root.resolve()) else path,
    )


def log_hparams(values: dict[str, Any], summary: dict[str, Any], loggers: list[Logger]) -> None:
    """A row of TensorBoard's HPARAMS tab: the run's `values` with its real final scores."""
    best = {f"best/{name}": value for name, value in summary["best"].items() if value is not None}
    scores = best | {name: value for name, value in summary["test"].items() if value is not None}
    watched = summary["monitor"].rpartition("/")[2]
    scores = dict(sorted(scores.items(), key=lambda item: not item[0].endswith(f"/{watched}")))  # its columns first
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            writer = logger.experiment
            for part in hparams_summaries(values, scores):  # writer.add_hparams would start a run of its own
                writer._get_file_writer().add_summary(part)
            for name, value in best.items():  # the test scores are there already
                writer.add_scalar(name, value, summary["steps"])
            writer.flush()


def flat_hparams(cfg: DictConfig, choices: dict[str, str], overrides: list[str]) -> dict[str, Any]:
    """What tells runs apart: the choices, the few numbers that every run has, and what was changed by hand.

    In a sweep, whose table has its trials alone, what was changed is enough.
    """
    is_trial = choices.get("sweep") not in (None, "null")
    flat: dict[str, Any] = {group: choices[group] for group in ("model", "data", "optimizer", "scheduler")}
    flat |= {
        "lr": OmegaConf.select(cfg, "optimizer.lr"),
        "batch_size": OmegaConf.select(cfg, "data.batch_size"),
        "max_epochs": cfg.trainer.max_epochs,
        "precision": cfg.hardware.precision,
        "seed": cfg.seed,
    }
    flat = {} if is_trial else flat
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~")
        if key not in choices and not key.startswith(ASIDE):
            flat[key] = OmegaConf.select(cfg, key)
        elif is_trial and key in choices and key not in ("experiment", "sweep"):
            flat[key] = choices[key]
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in flat.items()}
