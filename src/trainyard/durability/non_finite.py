"""Stop on a non-finite loss and report its origin, before a checkpoint could contain it."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from trainyard.collectives import first_rank, largest, own_part, rank
from trainyard.errors import LostProcessError, UserError

NEVER = 2**62


class NonFiniteLossError(UserError):
    """The loss became NaN or infinite."""


class NonFiniteGuard(Callback):
    """Check each step's loss on the device; read the result every `every` steps and before each checkpoint."""

    def __init__(self, every: int = 50) -> None:
        self.every = every
        self.first_step: Tensor | None = None  # the first whose loss was not finite
        self.batch: Any = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if not isinstance(loss, Tensor):  # of a LightningModule that optimizes by itself, or has skipped the batch
            return
        step = torch.full((), trainer.global_step, device=loss.device)
        found = torch.where(torch.isfinite(loss.detach()).all(), NEVER, step)
        self.first_step = found if self.first_step is None else torch.minimum(self.first_step, found)
        self.batch = batch
        if trainer.global_step % self.every == 0:
            self.check_loss(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check_loss(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check_loss(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.check_loss(trainer, pl_module)
        if trainer.state.fn == "fit":
            self.check_weights(trainer, pl_module)

    def check_weights(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise NonFiniteLossError if a weight is not finite: a loss can be, and its gradient not."""
        weights = [torch.isfinite(own_part(weight)).all() for weight in pl_module.parameters()]
        buffers = [~torch.isnan(value).any() for value in pl_module.buffers()]  # a mask may contain infinite values
        is_bad = bool((found := [*weights, *buffers]) and not torch.stack(found).all())
        first = first_rank(is_bad)
        if first is None:
            return
        text = f"the weights are not finite after step {trainer.global_step}"
        if first != rank():
            raise LostProcessError(f"{text}, in rank {first}")
        raise self.error(trainer, pl_module, text)

    def check_loss(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise NonFiniteLossError if the loss of a step was not finite; of several processes, in the first one."""
        own = NEVER if self.first_step is None else int(self.first_step)
        first = -largest([-own])[0]
        if first == NEVER:
            return
        found = f"the loss has not been finite since optimizer step {first}"
        speaker = first_rank(own == first)
        layer = first_non_finite_layer(pl_module, self.batch)  # sharded weights and batch norm need all processes
        if rank() != speaker:
            raise LostProcessError(f"{found}, in rank {speaker}")
        raise self.error(trainer, pl_module, found, layer)

    def error(
        self, trainer: Trainer, pl_module: LightningModule, found: str, layer: str | None = None
    ) -> NonFiniteLossError:
        """The error, with the origin, perhaps a layer, and the usual fixes."""
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        return NonFiniteLossError(
            f"{found} (epoch {trainer.current_epoch}, learning rate {lr:.3g}, precision {trainer.precision}).\n"
            f"  origin: {self.origin(pl_module, layer)}\n"
            "  usual fixes: a lower optimizer.lr, scheduler=onecycle (a warm-up), trainer.gradient_clip_val=1.0, "
            "bf16-mixed instead of 16-mixed\n"
            "  the checkpoints are from before that step; a resumed run would take the same steps to it again"
        )

    def origin(self, module: LightningModule, layer: str | None) -> str:
        """What stops being finite first: the latest batch, the weights, or the output of a layer."""
        floats = [x for x in tree_leaves(self.batch) if isinstance(x, Tensor) and x.is_floating_point()]
        if any(not torch.isfinite(x).all() for x in floats):
            return "the data: the latest batch contains NaN or infinite values"
        for name, weight in module.named_parameters():
            if not torch.isfinite(own_part(weight)).all():
                return f"the weights: {name} contains NaN or infinite values: an update was too large or not finite"
        if not hasattr(module, "score"):
            return f"the training_step of {type(module).__name__}: the batch and the weights are finite"
        return layer or "the loss itself: every layer's output is finite"


@torch.no_grad()
def first_non_finite_layer(module: LightningModule, batch: Any) -> str | None:
    """The first layer whose output is not finite on this batch; None of a LightningModule with steps of its own."""
    if not hasattr(module, "score"):
        return None
    found: list[str] = []

    def watch(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not torch.isfinite(output).all():
                found.append(f"the output of {name} ({type(layer).__name__})")

        return hook

    leaves = [(name, layer) for name, layer in module.named_modules() if name and not list(layer.children())]
    hooks = [layer.register_forward_hook(watch(name)) for name, layer in leaves]
    try:
        module.score(batch)  # pyright: ignore
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None
