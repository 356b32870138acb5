"""How Lightning's Trainer divides a training between processes that are there already."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.environments import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel

from trainyard.distributed.ranks import Ranks
from trainyard.distributed.sharded import Sharded

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
    if hardware.strategy == "fsdp":
        strategy = Sharded(ranks.world_size, timeout, hardware.sharded_points)
    else:
        strategy = DDP(
            hook=COMM_HOOKS[hardware.comm_hook] if hardware.comm_hook else None,
            timeout=timeout,
            find_unused_parameters=hardware.find_unused_parameters,
            gradient_as_bucket_view=True,  # no copy of the gradients to send
        )
    shape = {"devices": ranks.local_world_size, "num_nodes": ranks.num_nodes}
    return {"strategy": strategy, "environment": Started(ranks), **shape}


class DDP(DDPStrategy):
    """Lightning's DDPStrategy, whose communication hook works without GPUs as well."""

    def __init__(self, hook: Callable[..., Any] | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.hook = hook

    def on_exception(self, exception: BaseException) -> None:
        """Does nothing: durability/crash_report.py names Trainyard's own keys."""

    def configure_ddp(self) -> None:
        super().configure_ddp()
        if self.hook is not None and isinstance(self.model, DistributedDataParallel):
            self.model.register_comm_hook(None, self.hook)


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
