"""An exponential moving average of the weights (Polyak & Juditsky, 1992), which is validated, kept and tested."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from lightning.pytorch.trainer.states import TrainerFn

from trainyard.durability.lightning_private import set_average_device


class EMA(EMAWeightAveraging):
    """Lightning's EMAWeightAveraging without two defects of its version 2.6.

    Testing a checkpoint after fitting replaced the average by the raw weights; and on a GPU the average stayed in the
    host's memory, since the module moves to its device only after `setup`.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        set_average_device(self, trainer.strategy.root_device)
        super().setup(trainer, pl_module, stage)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
