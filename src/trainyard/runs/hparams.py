"""The row that a run has in TensorBoard's HPARAMS tab."""

from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf
from torch.utils.tensorboard.summary import hparams as hparams_summaries

from trainyard.config_keys import changes_numbers


def log_hparams(values: dict[str, Any], summary: dict[str, Any], loggers: list[Logger]) -> None:
    """Log the run's `values` with its final scores, the monitored score's columns first."""
    best = {f"best/{name}": value for name, value in summary["best"].items() if value is not None}
    scores = best | {name: value for name, value in summary["test"].items() if value is not None}
    monitored = summary["monitor"].rpartition("/")[2]
    scores = dict(sorted(scores.items(), key=lambda item: not item[0].endswith(f"/{monitored}")))
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            writer = logger.experiment
            for part in hparams_summaries(values, scores):  # writer.add_hparams would start a run of its own
                writer._get_file_writer().add_summary(part)
            for name, value in best.items():  # the test scores are there already
                writer.add_scalar(name, value, summary["steps"])
            writer.flush()


def hyperparameters(cfg: DictConfig, choices: dict[str, str], overrides: list[str]) -> dict[str, Any]:
    """What tells runs apart: the choices, the few numbers that every run has, and what was overridden.

    In a sweep, whose table contains its trials alone, what was overridden is enough.
    """
    is_trial = choices.get("sweep") not in (None, "null")
    values: dict[str, Any] = {group: choices[group] for group in ("model", "data", "optimizer", "scheduler")}
    values |= {
        "lr": OmegaConf.select(cfg, "optimizer.lr"),
        "batch_size": OmegaConf.select(cfg, "data.batch_size"),
        "max_epochs": cfg.trainer.max_epochs,
        "precision": cfg.hardware.precision,
        "seed": cfg.seed,
    }
    values = {} if is_trial else values
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~")
        if key not in choices and changes_numbers(key):
            values[key] = OmegaConf.select(cfg, key)
        elif is_trial and key in choices and key not in ("experiment", "sweep"):
            values[key] = choices[key]
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in values.items()}
