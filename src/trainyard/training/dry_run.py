"""check=true: build everything, report its size and cost, run one batch of each split, and stop."""

import logging
from typing import Any

from lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from trainyard.callbacks.model_summary import count_parameters, network_table
from trainyard.data.base import DataModule
from trainyard.flops import flop_counter
from trainyard.tasks.base import Task
from trainyard.tasks.lightning_module import network_of
from trainyard.training.scale import describe_scale, shares
from trainyard.training.units import num_bytes, with_prefix

log = logging.getLogger(__name__)


def dry_run(task: LightningModule, data: LightningDataModule, trainer: Trainer, hardware: Any) -> None:
    """Print size and cost of the network; train, validate and test on one batch each (with a fast_dev_run Trainer).

    Of a training in several processes, of which none is started, print what each would compute, keep and send.
    """
    log.info(network_table(network_of(task)))
    if not isinstance(task, Task):  # it was trained on a batch as it was built
        log.info("one batch of train and val passed; nothing was written")
        return
    devices, num_nodes = hardware.devices, hardware.num_nodes
    batch_size = data.batch_size if isinstance(data, DataModule) else 0
    if isinstance(data, DataModule):
        data.batch_size = shares(batch_size, devices * num_nodes)[1]  # what one process has of it
    batch = first_batch(data)
    flops, activations = forward_cost(task, batch)
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    state = sum(num_bytes(x) for s in trainer.optimizers[0].state.values() for x in s.values() if isinstance(x, Tensor))
    weights = sum(num_bytes(p) for p in task.net.parameters())
    total = 2 * weights + state + activations
    log.info("parameters:   %s", f"{count_parameters(task.net):,}")
    log.info("FLOPs:        %s per sample, forward (a multiplication and an addition are two)", with_prefix(flops))
    log.info(
        "memory:       about %s in training, batches of %s: weights and gradients %s, optimizer %s, activations %s",
        with_prefix(total, "B"), len(batch[-1]), with_prefix(2 * weights, "B"), with_prefix(state, "B"),
        with_prefix(activations, "B"),
    )  # fmt: skip
    if devices * num_nodes > 1 and isinstance(data, DataModule):
        samples, each = len(data.splits["train"]), activations / len(batch[-1])
        width = 2 if hardware.comm_hook else None  # bytes of a gradient that is sent
        scale = describe_scale(
            task.net, devices, num_nodes, hardware.strategy, batch_size, samples, state, each, width
        )  # fmt: skip
        log.info(scale)
    log.info("one batch of train, val and test passed; nothing was written")


def first_batch(data: LightningDataModule) -> Any:
    """The first training batch as the network gets it; `data` is set up."""
    return data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)


def forward_cost(task: Task, batch: Any) -> tuple[float, float]:
    """FLOPs of one sample's forward pass, and the bytes of activations saved for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    task.net.train()
    own = {p.untyped_storage().data_ptr() for p in task.net.parameters()}
    with flop_counter() as counter, saved_tensors_hooks(keep, lambda tensor: tensor):
        task.score(batch)
    activations = sum(nbytes for pointer, nbytes in kept.items() if pointer not in own)
    return counter.get_total_flops() / len(batch[-1]), activations
