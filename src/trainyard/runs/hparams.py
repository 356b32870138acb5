"""The row that a run has in TensorBoard's HPARAMS tab."""

from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # pyright: ignore
from torch.utils.tensorboard.summary import hparams as hparams_summaries

from trainyard.config_keys import changes_numbers, key_of
from trainyard.loggers.tensorboard import CHARTS, StageLogger
from trainyard.loggers.trackers import is_tracker

COLUMNS = {  # of every run, and their keys; TensorBoard shows the first five of all by name, the others on demand
    "batch_size": "data.batch_size", "lr": "optimizer.lr", "precision": "hardware.precision", "seed": "seed",
    "trainer.max_epochs": "trainer.max_epochs",
}  # fmt: skip


def log_hparams(values: dict[str, Any], summary: dict[str, Any], loggers: list[Logger]) -> None:
    """Log the run's `values` with its final scores, the monitored score's columns first; trackers get the scores."""
    best = {name.replace("val/", "best/", 1): value for name, value in summary["best"].items() if value is not None}
    scores = best | {name: value for name, value in summary["test"].items() if value is not None}
    monitored = str(summary["monitor"]).rpartition("/")[2]
    scores = dict(sorted(scores.items(), key=lambda item: not item[0].endswith(f"/{monitored}")))
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger) or is_tracker(logger):
            logger.log_metrics(best, summary["steps"])  # the test scores are there already
        if isinstance(logger, TensorBoardLogger):
            columns, *row = hparams_summaries(values, scores)  # writer.add_hparams would start a run of its own
            if isinstance(logger, StageLogger):
                find_in_folders(columns)
            for part in (columns, *row):
                logger.experiment._get_file_writer().add_summary(part)
            logger.save()


def find_in_folders(columns: Any) -> None:
    """Let TensorBoard look for the score `best/loss` where it is written: as `curves/loss` of the run `best`."""
    plugin = columns.value[0].metadata.plugin_data
    content = HParamsPluginData.FromString(plugin.content)
    for score in content.experiment.metric_infos:
        score.display_name = score.name.tag
        score.name.group, _, name = score.name.tag.partition("/")
        score.name.tag = f"{CHARTS}/{name}"
    plugin.content = content.SerializeToString()


def hyperparameters(cfg: DictConfig, choices: dict[str, str], overrides: list[str]) -> dict[str, Any]:
    """What tells runs apart: the choices, the few numbers that every run has, and what was overridden.

    In a sweep, whose table contains its trials alone, what was overridden is enough.
    """
    is_trial = choices.get("sweep") not in (None, "null")
    values: dict[str, Any] = {}
    if not is_trial:
        groups = ("model", "data", "optimizer", "scheduler")
        values |= {group: choices[group] for group in groups if choices.get(group) is not None}
        values |= {name: OmegaConf.select(cfg, key) for name, key in COLUMNS.items()}
    for word in overrides:
        key = key_of(word)
        if key not in choices and changes_numbers(key) and (is_trial or key not in COLUMNS.values()):
            values[key] = OmegaConf.select(cfg, key)
        elif is_trial and key in choices and key not in ("experiment", "sweep"):
            values[key] = choices[key]
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in values.items()}
