"""Train the new parts of a pretrained network first, and the rest later or never."""

from collections.abc import Sequence

from lightning import Callback, LightningModule, Trainer
from torch import nn

from trainyard.tasks.base import Task
from trainyard.tasks.head import head_parts


class Finetune(Callback):
    """Freeze all of the network except the parts named in `train` (as `head`, whatever its name, or `stages.stage4`).

    What is frozen is also in evaluation mode: its batch norm keeps its statistics, its dropout is off. From the start
    of epoch `unfreeze_at_epoch`, counted from 0, everything trains. The optimizer contains all parameters from the
    beginning (and skips those without a gradient), so that unfreezing leaves its groups and learning rates as they are.
    """

    def __init__(
        self, freeze: bool = True, unfreeze_at_epoch: int | None = None, train: Sequence[str] = ("head",)
    ) -> None:
        self.freeze, self.unfreeze_at_epoch, self.train = freeze, unfreeze_at_epoch, tuple(train)
        self.frozen: list[str] = []  # names, as a sharded network has other parameters than it had before

    def check_parts(self, task: LightningModule) -> None:
        """Find the head; raise ValueError for a part that the network does not have."""
        if not self.freeze:
            return
        if not isinstance(task, Task):
            raise ValueError(f"callbacks=finetune freezes the network of a task, and {type(task).__name__} is none")
        if "head" in self.train:
            self.train = (*(part for part in self.train if part != "head"), *head_parts(task))
        parts = [name for name, _ in task.net.named_modules() if name]
        for part in self.train:
            if part not in parts:
                top = ", ".join(name for name, _ in task.net.named_children())
                raise ValueError(f"callbacks.finetune.train={part} is not a part of the network; it has {top}")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze, before the network is wrapped to exchange the gradients of what trains."""
        net: nn.Module = pl_module.net  # pyright: ignore
        if stage != "fit":
            return
        self.check_parts(pl_module)
        if self.freeze:
            self.frozen = [n for n, p in net.named_parameters() if p.requires_grad and not self.is_trained(n)]
        for name in self.frozen:
            net.get_parameter(name).requires_grad_(False)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        net: nn.Module = pl_module.net  # pyright: ignore
        if not self.freeze:
            return
        if self.unfreeze_at_epoch is not None and trainer.current_epoch >= self.unfreeze_at_epoch:
            for name in self.frozen:
                net.get_parameter(name).requires_grad_(True)
            self.frozen = []
            net.train()
            return
        for name, module in net.named_modules():
            contains = not name or any(part.startswith(f"{name}.") for part in self.train)
            if not contains and not self.is_trained(name):
                module.training = False

    def is_trained(self, name: str) -> bool:
        """Whether a parameter or module belongs to a part that trains from the beginning."""
        return any(f"{name}.".startswith(f"{part}.") for part in self.train)
