"""An exponential moving average of the weights (Polyak & Juditsky, 1992), which is validated, kept and tested."""

from functools import partial
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging, WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from trainyard.durability.lightning_private import set_average_device


def young_average(decay: float, average: Tensor, current: Tensor, updates: Tensor) -> Tensor:
    """Move an average that begins: with (1 + n) / (10 + n) after n updates, until `decay` is less."""
    share = ((1 + updates) / (10 + updates)).clamp(max=decay)
    return share * average + (1 - share) * current


class EMA(EMAWeightAveraging):
    """Lightning's EMAWeightAveraging with a warm-up, and without two defects of its version 2.6.

    With `warmup`, the decay grows with the number of updates (Abadi et al., 2015, TensorFlow's num_updates), so that
    the average of a young network is not that of its first weights.

    Testing a checkpoint after fitting replaced the average by the raw weights; and on a GPU the average stayed in the
    host's memory, since the module moves to its device only after `setup`.
    """

    def __init__(self, decay: float = 0.999, warmup: bool = False, **options: Any) -> None:
        super().__init__(decay=decay, **options)
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay} must be in [0, 1)")
        if warmup:  # again, as the class itself takes no other average
            place = {name: options[name] for name in ("device", "use_buffers") if name in options}
            WeightAveraging.__init__(self, avg_fn=partial(young_average, decay), **place)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        set_average_device(self, trainer.strategy.root_device)
        super().setup(trainer, pl_module, stage)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
