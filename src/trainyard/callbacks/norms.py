"""How large the gradients and the weights are."""

from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer


class Norms(Callback):
    """Log, with the step's loss, norm/gradient and norm/weights: the L2 norms over all parameters that are trained.

    The gradient's is that of the step, over all accumulated batches and processes, before it is clipped. Where several
    optimizers step in turn, none is logged.
    """

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        interval: int = trainer.log_every_n_steps  # pyright: ignore
        if not interval or (trainer.global_step + 1) % interval or len(trainer.optimizers) > 1:
            return
        trained = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        factor = getattr(pl_module, "gradient_factor", 1.0)
        values = {
            "norm/gradient": whole(get_total_norm([p.grad for p in trained])) * factor,
            "norm/weights": whole(get_total_norm([p.detach() for p in trained])),
        }
        pl_module.log_dict(values, on_step=True, on_epoch=False)


def whole(norm: Tensor) -> Tensor:
    """The norm over the parts of all processes, where each has a part of the parameters."""
    return norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # pyright: ignore
