"""What a picture can be drawn of, and what it is."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import Flag, auto
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from trainyard.callbacks.pictures.kept import Kept, Predicted
from trainyard.collectives import is_sharded
from trainyard.data.loading.hashing import seeded
from trainyard.tasks.classification import Classification, class_names
from trainyard.tasks.lightning_module import network_of
from trainyard.tasks.modes import modes_kept

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # which takes half a second

Drawn: TypeAlias = "Figure | Tensor | str | None"  # a figure; pixels (3, H, W) in [0, 1]; Markdown; nothing to be seen


@dataclass
class Scene:
    """A training at the moment of a picture."""

    trainer: Trainer
    task: LightningModule
    data: Any  # the data module
    kept: Kept  # of the last validation
    folder: Path  # of the PNG files
    memory: dict[str, Any]  # what pictures keep from one drawing for the next

    @property
    def net(self) -> nn.Module:
        """The network that trains."""
        return network_of(self.task)

    @property
    def writers(self) -> list[SummaryWriter]:
        """TensorBoard's writers of the run's own directory."""
        return [each.experiment for each in self.trainer.loggers if isinstance(each, TensorBoardLogger)]

    @cached_property
    def predicted(self) -> Predicted | None:
        """What a classifier predicted in the last validation; None of anything else."""
        return self.kept.predicted()

    @cached_property
    def classes(self) -> list[str]:
        """The names of a classifier's classes."""
        return class_names(self.task, self.data) if isinstance(self.task, Classification) else []

    @property
    def scope(self) -> str:
        """Whose samples are shown, if it is a part of them: other processes have theirs."""
        size = self.trainer.world_size
        return f" (samples of 1 of {size} processes)" if size > 1 else ""

    @property
    def can_call(self) -> bool:
        """Whether this process alone can call the network."""
        return not is_sharded(self.net)

    @contextmanager
    def calling(self, mixed: bool = True) -> Iterator[nn.Module]:
        """The network, to be called within `with` as in a validation; afterwards nothing in it has changed.

        It is in eval mode, without gradients and not compiled; unless `mixed` is False, in the run's mixed precision.
        """
        net = self.net
        is_compiled = getattr(net, "_compiled_call_impl", None) is not None
        stance = torch.compiler.set_stance("force_eager") if is_compiled else nullcontext()
        precision = self.trainer.precision_plugin.forward_context() if mixed else nullcontext()
        with torch.no_grad(), stance, precision, modes_kept(net):
            yield net.eval()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Whatever is drawn at random within `with` leaves the generators as they were."""
        device = self.task.device
        with seeded(0), torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield


class Moment(Flag):
    """When a picture is drawn."""

    START = auto()  # before the first step
    EARLY = auto()  # once, after a second
    BETWEEN = auto()  # after a validation, as often as there is time
    LAST = auto()  # at the end


class Picture(NamedTuple):
    """A kind of picture."""

    tag: str  # in TensorBoard: group/name
    switch: str  # the argument of the callback that leaves it out
    draw: str  # the module of this package and the function of a Scene that draws it
    guess: float  # seconds that the first one is taken to cost
    moment: Moment
