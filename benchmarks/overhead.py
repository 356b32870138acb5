"""Trainyard against a plain loop:  python benchmarks/overhead.py [--rounds 5] [--steps 10] [group=choice key=value ...]

The same network, optimizer, data and batches, in one process, alternating: through Lightning's Trainer with all of
Trainyard's callbacks and loggers, and through the shortest loop that trains. Prints samples/s of both and the ratio.
"""

import argparse
import logging
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import torch
from lightning import Callback

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve
from trainyard.hardware.settings import configure_torch, describe, prepare_network
from trainyard.loggers.metrics_file import MetricsFile
from trainyard.training.factory import make_group, make_trainer

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Clock(Callback):
    """Times a training from the first to the last step."""

    def on_train_start(self, *_) -> None:
        self.start = perf_counter()

    def on_train_end(self, *_) -> None:
        self.seconds = perf_counter() - self.start


def plain(task, data, steps: int) -> float:
    """Seconds for `steps` steps of a loop written by hand, down to the reading of the images."""
    net, optimizer = task.net.train(), task.optimizer(task.net.parameters())
    samples = data.splits["train"]
    images, labels = samples.inputs[samples.rows], samples.labels
    mean, std = data.pixels.mean, data.pixels.std
    order = torch.randperm(len(labels))
    start = perf_counter()
    for index in order.repeat(1 + steps * data.batch_size // len(order)).split(data.batch_size)[:steps]:
        with torch.autocast("cpu", torch.bfloat16, enabled=task.bf16):
            inputs = (images[index].float() - mean) / std
            loss = torch.nn.functional.cross_entropy(net(inputs), labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return perf_counter() - start


def trainyard(cfg, task, data, steps: int, folder: Path) -> float:
    """Seconds for `steps` steps through the Trainer, with the callbacks and loggers of a usual run."""
    cfg.run.dir = str(folder)
    clock = Clock()
    callbacks = [clock, *make_group(cfg, "callbacks")]
    loggers = [MetricsFile(folder), *make_group(cfg, "logger")]
    trainer = make_trainer(cfg, callbacks, loggers, max_steps=steps, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(task, datamodule=data)
    return clock.seconds


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    options, overrides = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(options, overrides, Path(folder))


def compare(options: argparse.Namespace, overrides: list[str], folder: Path) -> None:
    """Take turns, and print the medians."""
    without = ["callbacks.best=null", "callbacks.resume=null", f"run.dir={folder}"]
    composed = compose(["model=resnet18", "data=cifar10", "hardware=cpu", *without, *overrides])
    cfg = resolve(composed)
    configure_torch(cfg.hardware)
    task, data = instantiate_task(cfg, composed.choices), instantiate(cfg.data, "data")
    prepare_network(task.net, cfg.hardware)
    task.bf16 = cfg.hardware.precision == "bf16-mixed"
    data.prepare_data()
    data.setup("fit")
    rows = []
    for turn in range(options.rounds + 1):  # the first one warms up
        ours, theirs = trainyard(cfg, task, data, options.steps, folder), plain(task, data, options.steps)
        rows.append((theirs / ours, ours, theirs))
        if turn:
            print(f"round {turn}: ratio {theirs / ours:.3f}", flush=True)
    ratio, ours, theirs = (statistics.median(column) for column in zip(*rows[1:], strict=True))
    samples = options.steps * cfg.data.batch_size
    print(f"{describe(cfg.hardware)}; {cfg.model._target_.rpartition('.')[2]}, batches of {cfg.data.batch_size}")
    print(f"trainyard {samples / ours:,.1f} samples/s, plain loop {samples / theirs:,.1f}, median ratio {ratio:.3f}")
    print(f"overhead of a step: {1000 * (ours - theirs) / options.steps:.2f} ms")


if __name__ == "__main__":
    main()
