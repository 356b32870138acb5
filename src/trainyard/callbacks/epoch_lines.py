"""One line an epoch, on the console and in the run's log."""

import logging
from math import ceil
from time import perf_counter

from lightning import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Writes the epoch's scores; of a long training no more than `most` lines, evenly spread."""

    def __init__(self, most: int = 50) -> None:
        self.most = most

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.since = perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch, last = trainer.current_epoch + 1, trainer.max_epochs or -1
        shown_anyway = epoch in (1, last) or trainer.should_stop
        if not shown_anyway and epoch % max(1, ceil(last / self.most)):
            return
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        both = [name[6:] for name in scores if name.startswith("train/") and f"val/{name[6:]}" in scores]
        shown = [f"{stage}/{name} {scores[f'{stage}/{name}']:.4f}" for stage in ("train", "val") for name in both]
        if (speed := scores.get("throughput/samples_per_second")) is not None:
            shown.append(f"{speed:,.0f} samples/s")
        now = perf_counter()
        log.info("epoch %s  %s  %.1f s", f"{epoch}/{last}" if last > 0 else epoch, "  ".join(shown), now - self.since)
        self.since = now
