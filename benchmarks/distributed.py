"""What a second process gains on a CPU, and what agreeing costs:  python benchmarks/distributed.py [--rounds 5]

Trains each network in one process of 2 threads and in two processes of 1 thread, alternating, with the same batches.
Prints the medians of a step's milliseconds and their ratio. Then times what the processes exchange beside gradients:
the samples of each step, and about once a second whether to stop or to write a resume point.
"""

import argparse
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import torch.distributed as dist

from trainyard.collectives import largest, totals
from trainyard.durability.agreement import SECONDS
from trainyard.loggers.metrics_lines import read_metrics

TRAIN = Path(__file__).parents[1] / "train.py"
NETWORKS = {
    "resnet18": ["model=resnet18", "data=shapes", "data.size=4096", "data.batch_size=128"],
    "transformer": ["model=transformer", "data=reviews", "data.size=4096", "data.batch_size=64"],
}
FORMS = {"1 process": ["hardware.threads=2"], "2 processes": ["hardware.devices=2", "hardware.threads=1"]}
COMMON = ["hardware=cpu", "test=false", "logger=none", "callbacks.progress_bar=null", "trainer.max_epochs=1",
          "trainer.limit_val_batches=1", "callbacks.resume.every_seconds=null"]  # fmt: skip


def step_milliseconds(words: list[str], steps: int) -> float:
    """The mean step of a training."""
    with tempfile.TemporaryDirectory() as folder:
        more = [f"trainer.limit_train_batches={steps + 3}", f"run.dir={folder}/run"]
        subprocess.run([sys.executable, str(TRAIN), *words, *COMMON, *more], check=True, stdout=subprocess.DEVNULL)
        return next(
            row["throughput/step_ms"] for row in read_metrics(Path(folder) / "run") if "throughput/step_ms" in row
        )


def exchange_milliseconds(rank: int, folder: str, repeats: int, found: multiprocessing.SimpleQueue) -> None:
    """In one of two processes: the time of what each step exchanges, and of an agreement."""
    store = dist.FileStore(f"{folder}/store", 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=60))
    times = []
    for exchange in (lambda: totals([64]), lambda: largest([0, 0, -10])):
        exchange()
        start = perf_counter()
        for _ in range(repeats):
            exchange()
        times.append(1000 * (perf_counter() - start) / repeats)
    if rank == 0:
        found.put(times)
    dist.barrier()
    dist.destroy_process_group()


def measure_exchange(repeats: int) -> list[float]:
    """Milliseconds of the two exchanges between two processes of this machine."""
    context = multiprocessing.get_context("spawn")
    found = context.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        ranks = [
            context.Process(target=exchange_milliseconds, args=(rank, folder, repeats, found)) for rank in range(2)
        ]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
    return found.get()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    options = parser.parse_args()
    medians = {}
    for name in options.networks:
        times: dict[str, list[float]] = {form: [] for form in FORMS}
        for _ in range(options.rounds):
            for form, words in FORMS.items():
                times[form].append(step_milliseconds([*NETWORKS[name], *words], options.steps))
        one, two = (statistics.median(values) for values in times.values())
        medians[name] = two
        pairs = [before / after for before, after in zip(*times.values(), strict=True)]
        ratio = f"{statistics.median(pairs):.2f} times as fast ({min(pairs):.2f} to {max(pairs):.2f})"
        print(f"{name}: 1 process of 2 threads {one:.1f} ms a step, 2 of 1 thread {two:.1f} ms: {ratio}", flush=True)
    counted, agreed = measure_exchange(200 * options.rounds)
    print(f"exchanged in each step {counted:.3f} ms, and about every {SECONDS:g} s {agreed:.3f} ms")
    for name, step in medians.items():
        print(f"{name}: {100 * (counted / step + agreed / (1000 * SECONDS)):.2f} % of a step of 2 processes")


if __name__ == "__main__":
    main()
