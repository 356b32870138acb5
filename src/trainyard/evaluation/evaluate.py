"""Score a trained task on one of its data's splits."""

from collections.abc import Mapping
from typing import Any

from lightning import LightningDataModule, Trainer

from trainyard.hardware.settings import prepare_network
from trainyard.tasks.base import Task


def evaluate(
    task: Task, data: LightningDataModule, hardware: Any, limits: Mapping[str, Any], split: str = "test"
) -> dict[str, float]:
    """The task's scores on `split` (test or val), by the names that they are logged by.

    `hardware` is the config group, `limits` are Lightning's limit_test_batches and limit_val_batches.
    """
    prepare_network(task.net, hardware)
    trainer = Trainer(
        accelerator=hardware.accelerator, devices=1, precision=hardware.precision, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        use_distributed_sampler=False, **limits,
    )  # fmt: skip
    data.prepare_data()
    score = {"test": trainer.test, "val": trainer.validate}[split]
    (scores,) = score(task, datamodule=data, verbose=False)
    return dict(scores)
