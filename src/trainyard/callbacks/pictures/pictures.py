"""The callback: which picture is drawn when."""

import logging
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning import Callback, LightningModule, Trainer

from trainyard.callbacks.pictures.budget import Budget
from trainyard.callbacks.pictures.kept import Kept
from trainyard.tasks.base import Scored, Task
from trainyard.tasks.classification import Classification

if TYPE_CHECKING:
    from trainyard.callbacks.pictures.scene import Moment, Picture, Scene

OF_NETWORK = ("boundary", "attention", "graph", "projector")  # called with the data's inputs alone
OF_PREDICTIONS = ("confusion", "mistakes", "reliability", "precision_recall")  # in the last validation
log = logging.getLogger(__name__)


class Pictures(Callback):
    """Draw pictures of the training: in TensorBoard, and as PNG files in `folder`.

    They take at most the part `share` of the time, but for the last ones, which are always drawn if the training has
    taken `at_least` so many seconds. Each kind can be left out; those that do not apply (a confusion matrix of a
    language model) are left out anyway. One that fails is reported, once, and the training goes on.

    Only the first process draws, of its own samples, and nothing that it draws changes the training.
    """

    def __init__(
        self,
        folder: str | Path,
        share: float = 0.02,
        at_least: float = 1.0,
        config: bool = True,
        batch: bool = True,
        confusion: bool = True,
        mistakes: bool = True,
        reliability: bool = True,
        precision_recall: bool = True,
        boundary: bool = True,
        attention: bool = True,
        graph: bool = True,
        projector: bool = True,
    ) -> None:
        if not isinstance(at_least, int | float):
            raise ValueError(f"callbacks.pictures.at_least={at_least} must be a number of seconds")
        self.folder, self.at_least, self.budget = Path(folder), at_least, Budget(share)
        switches = {
            "config": config, "batch": batch, "confusion": confusion, "mistakes": mistakes, "reliability": reliability,
            "precision_recall": precision_recall, "boundary": boundary, "attention": attention,
            "graph": graph, "projector": projector,
        }  # fmt: skip
        self.left_out = {name for name, is_on in switches.items() if not is_on}
        self.kept = Kept()
        self.memory: dict[str, Any] = {}
        self.steps: dict[str, int] = {}  # of each picture, the step that its last drawing shows
        self.validated = 0  # the step of the last validation
        self.has_begun = False  # whether the first pictures were drawn

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.budget.start()
        self.kept.clear()
        if not isinstance(pl_module, Task):  # what a LightningModule of others predicts is not known
            self.left_out |= set(OF_NETWORK)
        if self.is_due(trainer):
            self.draw(trainer, pl_module, "START")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self.has_begun and self.budget.elapsed >= self.at_least and self.is_due(trainer):
            self.has_begun = True
            self.draw(trainer, pl_module, "EARLY")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.kept.clear()
        self.validated = trainer.global_step

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        is_wanted = not self.left_out.issuperset(OF_PREDICTIONS) and isinstance(pl_module, Classification)
        if is_wanted and dataloader_idx == 0 and isinstance(outputs, Scored) and self.is_due(trainer):
            self.keep(outputs)

    def keep(self, scored: Scored) -> None:
        """Keep what a step has predicted; where that cannot be, the pictures of it are left out."""
        try:
            with self.budget.spend():
                self.kept.add(scored)
        except Exception as error:
            self.kept.clear()
            self.left_out.update(OF_PREDICTIONS)
            log.warning("no pictures of predictions: %s: %s", type(error).__name__, error)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Not on_validation_end, when an average of the weights has been replaced by the weights that train."""
        if self.is_due(trainer):
            self.draw(trainer, pl_module, "BETWEEN")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.is_due(trainer) and self.budget.elapsed >= self.at_least:
            self.draw(trainer, pl_module, "LAST")
            log.debug("pictures took %.2f s of %.1f s", self.budget.spent, self.budget.elapsed)
        self.kept.clear()

    def is_due(self, trainer: Trainer) -> bool:
        """Whether this is the process that draws, in a training."""
        return trainer.is_global_zero and trainer.state.fn == "fit" and not trainer.sanity_checking

    def draw(self, trainer: Trainer, pl_module: LightningModule, name: str) -> None:
        """Draw the pictures of a moment; those of BETWEEN as far as there is time, the oldest ones first."""
        with self.budget.spend():
            from trainyard.callbacks.pictures.scene import Moment, Scene

            due = self.due(moment := Moment[name], trainer)
            scene = Scene(trainer, pl_module, trainer.datamodule, self.kept, self.folder, self.memory)  # pyright: ignore
        for picture in sorted(due, key=lambda picture: self.steps.get(picture.tag, -1)):
            if moment is not Moment.BETWEEN or self.budget.allows(picture.tag, picture.guess):
                self.draw_one(scene, picture, picture.tag if moment is Moment.BETWEEN else "")

    def step_of(self, picture: "Picture", trainer: Trainer) -> int:
        """The step of the weights that a picture drawn now is of."""
        return self.validated if picture.switch in OF_PREDICTIONS else trainer.global_step

    def due(self, moment: "Moment", trainer: Trainer) -> "Sequence[Picture]":
        """The pictures of a moment that are not left out, and have not been drawn of the same weights."""
        from trainyard.callbacks.pictures.gallery import GALLERY
        from trainyard.callbacks.pictures.scene import Moment

        if moment is Moment.LAST and not self.has_begun:
            moment |= Moment.EARLY
        fitting = [picture for picture in GALLERY if picture.moment & moment and picture.switch not in self.left_out]
        return [picture for picture in fitting if self.steps.get(picture.tag) != self.step_of(picture, trainer)]

    def draw_one(self, scene: "Scene", picture: "Picture", between: str) -> None:
        """Draw a picture, whatever happens; one that fails is left out from now on. `between` as in `Budget.spend`."""
        module, _, function = picture.draw.partition(".")
        step = self.step_of(picture, scene.trainer)
        try:
            with self.budget.spend():
                draw = getattr(import_module(f"{__package__}.{module}"), function)
            with self.budget.spend(between), scene.drawing():
                if (drawn := draw(scene)) is not None:
                    from trainyard.callbacks.pictures.album import put

                    put(scene, picture.tag, drawn, step)
            self.steps[picture.tag] = step
        except Exception as error:
            self.left_out.add(picture.switch)
            log.warning("the picture %s could not be drawn, and is left out: %s: %s", picture.tag,
                        type(error).__name__, error)  # fmt: skip
