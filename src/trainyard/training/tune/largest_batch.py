"""tune=batch_size: the largest batch that fits, and how fast each is."""

import gc
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from trainyard.durability.crash_report import is_out_of_memory
from trainyard.errors import UserError
from trainyard.figures.tuning import batch_sizes
from trainyard.training.dry_run import first_batch, forward_cost
from trainyard.training.tune.bench import Bench, Found

BACKWARD = 2.0  # times the activations of the forward pass


class LargestBatch:
    """Train on batches of `least` samples, then on twice as many, and so on, for `steps` steps each.

    It ends with the first size that does not fit into the device's memory, that exceeds the training split or `most`,
    or of which a step takes longer than `step_seconds`. On a CPU, where a process that asks for too much is killed, a
    size is tried only if its activations fit into the memory that is free.
    """

    def __init__(self, least: int = 16, most: int = 8192, steps: int = 4, step_seconds: float = 10.0) -> None:
        if not 1 <= least <= most:
            raise ValueError(f"tune.least={least} must be at least 1, and tune.most={most} not below it")
        if steps < 2:
            raise ValueError(f"tune.steps={steps} must be at least 2: the first one is not measured")
        self.least, self.most, self.steps, self.step_seconds = least, most, steps, step_seconds

    def __call__(self, bench: Bench) -> Found:
        """The largest size that fits; UserError if none does."""
        self.samples = len(bench.data.splits["train"])
        speeds: dict[int, float] = {}
        size, why = self.least, ""
        while not (why := self.refuse(bench, size)):
            try:
                seconds = measure(bench, size, self.steps)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                free_memory(bench)
                why = f"{size:,} is out of memory"
                break
            speeds[size] = size / seconds
            if seconds > self.step_seconds:
                why = f"a step takes {seconds:.1f} s then, longer than tune.step_seconds={self.step_seconds:g}"
                break
            size *= 2
        if not speeds:
            raise UserError(f"tune=batch_size: not even {self.least:,} samples fit: {why}; lower tune.least")
        largest, fastest = max(speeds), max(speeds, key=lambda size: speeds[size])
        said = (
            f"the largest batch that fits is {largest:,} samples ({why}); the fastest of {len(speeds)} sizes is "
            f"{fastest:,} with {speeds[fastest]:,.0f} samples/s"
        )
        values = {"samples_per_second": speeds, "fastest": fastest, "ended": why}
        return Found("data.batch_size", largest, said, values, batch_sizes(speeds))

    def refuse(self, bench: Bench, size: int) -> str:
        """Why a size is not tried; empty if it is."""
        if size > self.samples:
            return f"the training split has {self.samples:,}"
        if size > self.most:
            return f"tune.most={self.most:,}"
        free = free_bytes() if bench.cfg.hardware.accelerator == "cpu" else None
        if free is not None and (needed := self.per_sample(bench) * size) > free:
            return f"{size:,} need about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        return ""

    def per_sample(self, bench: Bench) -> float:
        """The bytes that training needs for a sample, about."""
        if not hasattr(self, "bytes_per_sample"):
            bench.data.batch_size = min(self.least, self.samples)
            batch = first_batch(bench.data)
            self.bytes_per_sample = BACKWARD * forward_cost(bench.task, batch)[1] / len(batch[-1])
        return self.bytes_per_sample


class Clock(Callback):
    """The shortest time of a step with `size` samples, reading them included, of `steps` such steps; then it stops.

    The first one, which is slower, does not count; nor does the last batch of an epoch where it is smaller.
    """

    def __init__(self, size: int, steps: int) -> None:
        self.size, self.steps = size, steps
        self.began, self.seen, self.seconds = 0.0, 0, float("inf")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began = perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = perf_counter()
        if len(batch[-1]) == self.size:
            self.seen += 1
            self.seconds = min(self.seconds, now - self.began) if self.seen > 1 else self.seconds
        trainer.should_stop = trainer.should_stop or self.seen == self.steps
        self.began = now


def measure(bench: Bench, size: int, steps: int) -> float:
    """Seconds of a step with batches of a size."""
    bench.data.batch_size, clock = size, Clock(size, steps)
    bench.train([clock], 2 * steps)  # at most every second batch is a smaller one, the last of its epoch
    if clock.seen < 2:
        raise UserError(
            f"tune=batch_size: of the batches of data.batch_size={size}, {clock.seen} had {size:,} samples, and a step "
            "is timed on 2 or more; set data.batch_size yourself"
        )
    return clock.seconds


def free_memory(bench: Bench) -> None:
    """Give back what a training that failed has left on the device."""
    bench.task.zero_grad()
    bench.task.cpu()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_bytes() -> float | None:
    """The memory of this machine that programs may still have; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
