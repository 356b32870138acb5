"""How fast a training is, how much of its time is spent waiting for data, and what part of the device it uses."""

import logging
import warnings
from time import perf_counter
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.utilities.throughput import get_available_flops
from torch import Tensor
from torch.utils._pytree import tree_leaves

from trainyard.flops import flop_counter
from trainyard.tasks.base import Task
from trainyard.tasks.modes import modes_kept

log = logging.getLogger(__name__)
TYPES = {"bf16": torch.bfloat16, "16": torch.float16, "64": torch.float64}  # of precisions that begin so, else fp32
PASSES = 3  # forward, and a backward pass that counts as two


class Throughput(Callback):
    """Log, for each epoch, throughput/samples_per_second, /step_ms and /data_share, /tflops and, on a GPU, /mfu.

    Only training is timed, not validation. `data_share` is the fraction of the time between the end of a step and the
    start of the next: loading, transfer to the device and augmentation there (and logging). `tflops` is how many
    operations of matrix products, convolutions and attention are done in a second, 10^12 of them; `mfu`, the model
    FLOPs utilization (Chowdhery et al., 2022), the part that this is of what the GPUs could do. One forward pass of the
    first batch is counted, and a step is three of them: what is computed twice to save memory counts once, and frozen
    weights count like others. The first steps of a run (`warmup`) are left out. On a GPU, single steps overlap; the
    means over an epoch are right.
    """

    def __init__(self, warmup: int = 3) -> None:
        self.warmup = warmup
        self.ended: float | None = None
        self.flops_per_element: float | None = None  # of the inputs: texts of the first batch may be longer than others
        self.reset()

    def reset(self) -> None:
        """Start counting again."""
        self.samples, self.elements, self.steps, self.waited, self.worked = 0, 0, 0, 0.0, 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self.flops_per_element is None:
            self.flops_per_element = forward_flops(pl_module, batch) / max(1, elements(batch))
        self.started = perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = perf_counter()
        if self.warmup > 0:
            self.warmup -= 1
        elif self.ended is not None:  # not the first step after a pause, which was not a wait for data
            self.waited += self.started - self.ended
            self.worked += now - self.started
            self.samples += samples_in(batch) * trainer.world_size
            self.elements += elements(batch) * trainer.world_size
            self.steps += 1
        self.ended = now

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ended = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ended = None
        if not self.steps:
            return
        seconds = self.waited + self.worked
        values = {
            "throughput/samples_per_second": self.samples / seconds,
            "throughput/step_ms": 1000 * seconds / self.steps,
            "throughput/data_share": self.waited / seconds,
        }
        if self.flops_per_element:
            flops = PASSES * self.flops_per_element * self.elements / seconds
            values["throughput/tflops"] = flops / 1e12
            if peak := peak_flops(trainer):
                values["throughput/mfu"] = flops / peak
        pl_module.log_dict(values, on_step=False, on_epoch=True, batch_size=1)
        self.reset()


def samples_in(batch: Any) -> int:
    """The samples of a batch, the length of its first tensor with an axis; 1 where it has none."""
    return next((len(leaf) for leaf in tree_leaves(batch) if isinstance(leaf, Tensor) and leaf.ndim), 1)


def elements(batch: Any) -> int:
    """The numbers (pixels, tokens) in the inputs of a batch; 0 if they are no tensor."""
    inputs = batch[0] if isinstance(batch, list | tuple) else None
    return inputs.numel() if isinstance(inputs, Tensor) else 0


def forward_flops(module: LightningModule, batch: Any) -> int:
    """FLOPs of a forward pass, which leaves no trace: nothing is drawn, averaged or kept for a backward pass.

    0 where they cannot be counted, of a module that does not score batches, say.
    """
    if not isinstance(module, Task):
        return 0
    own = [module.device] if module.device.type == "cuda" else []
    eager = torch.compiler.set_stance("force_eager")  # what is compiled cannot be observed
    try:
        with modes_kept(module), eager, torch.no_grad(), torch.random.fork_rng(own), flop_counter() as counter:
            module.eval().score(batch)  # without a teacher, say
        return counter.get_total_flops()
    except (RuntimeError, NotImplementedError) as error:  # an operation that cannot be observed
        log.debug("the FLOPs of the network were not counted: %s", error)
        return 0


def peak_flops(trainer: Trainer) -> float | None:
    """FLOPs a second that all devices of the run could do at its precision; None where that is not published."""
    precision = str(trainer.precision)
    dtype = next((dtype for start, dtype in TYPES.items() if precision.startswith(start)), torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a GPU that Lightning has no figures of
        peak = get_available_flops(trainer.strategy.root_device, dtype)
    return peak * trainer.world_size if peak else None
