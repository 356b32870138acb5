"""TensorBoard's event files, from which training and validation appear in one chart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.tensorboard import SummaryWriter

STAGES = ("train", "val", "test", "best")
CHARTS = "curves"  # the group of their charts: by its name the first one


class StageLogger(TensorBoardLogger):
    """Logs `train/loss`, `val/loss` and `test/loss` as `curves/loss` of three runs, in folders train, val and test.

    TensorBoard draws what has one name in one chart, with a color for each run. All else is in the run's own folder.
    """

    def __init__(self, save_dir: str, purge_step: int | None = None, **options: Any) -> None:
        super().__init__(save_dir, purge_step=purge_step, **options)
        self.purge_step = purge_step
        self.writers: dict[str, SummaryWriter] = {}

    def writer_of(self, name: str) -> tuple[SummaryWriter, str]:
        """Where a value is written, and the name that it has there."""
        stage, _, tag = name.partition("/")
        if stage not in STAGES or not tag:
            return self.experiment, name
        if stage not in self.writers:
            self.writers[stage] = SummaryWriter(str(Path(self.log_dir, stage)), purge_step=self.purge_step)
        return self.writers[stage], f"{CHARTS}/{tag}"

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            if name != "epoch":  # which every line of metrics.jsonl has
                writer, tag = self.writer_of(name)
                writer.add_scalar(tag, value, step)

    @rank_zero_only
    def save(self) -> None:
        super().save()
        for writer in self.writers.values():
            writer.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        super().finalize(status)
        for writer in self.writers.values():
            writer.close()
