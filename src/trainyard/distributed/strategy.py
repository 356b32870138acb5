"""How Lightning's Trainer divides a training between processes that are there already."""

from datetime import timedelta
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.environments import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

from trainyard.distributed.ranks import Ranks
from trainyard.errors import UserError

COMM_HOOKS = {"fp16": default_hooks.fp16_compress_hook, "bf16": default_hooks.bf16_compress_hook}


class Started(ClusterEnvironment):
    """Lightning's view of processes that somebody else has started and numbered."""

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self.ranks = ranks

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return self.ranks.address

    @property
    def main_port(self) -> int:
        return self.ranks.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.ranks.world_size

    def set_world_size(self, size: int) -> None:
        """Does nothing: the size is given."""

    def global_rank(self) -> int:
        return self.ranks.rank

    def set_global_rank(self, rank: int) -> None:
        """Does nothing: the rank is given."""

    def local_rank(self) -> int:
        return self.ranks.local_rank

    def node_rank(self) -> int:
        return self.ranks.node


def strategy_arguments(hardware: Any, ranks: Ranks) -> dict[str, Any]:
    """The arguments of Lightning's Trainer that divide a training between processes."""
    timeout = timedelta(seconds=hardware.timeout)
    if hardware.comm_hook not in (None, *COMM_HOOKS):
        raise UserError(f"hardware.comm_hook={hardware.comm_hook} must be null, {' or '.join(COMM_HOOKS)}")
    hook = COMM_HOOKS[hardware.comm_hook] if hardware.comm_hook else None
    strategy = DDPStrategy(timeout=timeout, ddp_comm_hook=hook)
    return {"strategy": strategy, "environment": Started(ranks)}


class WrapAgain(Callback):
    """Wrap the network again when other parameters train than before.

    DistributedDataParallel exchanges the gradients of those that trained when it was made: others, as of a backbone
    that is unfrozen later, would become different in each process.
    """

    def __init__(self) -> None:
        self.trained: list[bool] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.trained = [parameter.requires_grad for parameter in pl_module.parameters()]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trained = [parameter.requires_grad for parameter in pl_module.parameters()]
        if trained != self.trained and isinstance(trainer.strategy, DDPStrategy):
            trainer.strategy.model = pl_module
            trainer.strategy.configure_ddp()
        self.trained = trained
