"""Training and validation scores in one chart."""

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger


class Curves(Callback):
    """Lay out TensorBoard's CUSTOM SCALARS tab: a chart per score, with train and validation together."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        names = [name for name in pl_module.stage_meters("train") if name in pl_module.stage_meters("val")]  # pyright: ignore
        # tags are regular expressions
        charts = {name: ["Multiline", [f"^train/{name}$", f"^val/{name}$"]] for name in names}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_custom_scalars({"train against validation": charts})
