"""What flushing denormal numbers to zero (hardware/settings.py) gains:  python benchmarks/denormals.py [--rounds 5]

A step of a dense network and Adam with an L2 penalty (experiment=mlp_l2) on one thread, with the weights as they begin
and with weights that the penalty has let decay to 1e-39: each with denormal numbers and with these flushed to zero,
alternating. Prints the medians in milliseconds.
"""

import argparse
import statistics
from itertools import product
from time import perf_counter

import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate_task
from trainyard.config.resolve import resolve
from trainyard.tasks.base import Task

WORDS = ["experiment=mlp_l2", "hardware=cpu", "run.dir=x"]
DECAYED = 1e-37  # times a weight of 0.01


def prepared(scale: float) -> tuple[Task, torch.optim.Optimizer]:
    """The network, its weights scaled, and an optimizer that leaves them there."""
    torch.manual_seed(0)
    task = instantiate_task(resolve(compose(WORDS)))
    with torch.no_grad():
        for weight in task.parameters():
            weight.mul_(scale)
    return task, torch.optim.Adam(task.parameters(), lr=0.0, weight_decay=0.02)


def step(task: Task, optimizer: torch.optim.Optimizer) -> float:
    """The time of a step in milliseconds."""
    batch = torch.randn(128, 3, 32, 32), torch.randint(10, (128,))
    start = perf_counter()
    task.score(batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return 1000 * (perf_counter() - start)


def main() -> None:
    """Measure all four, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[float, bool], list[float]] = {each: [] for each in product((1.0, DECAYED), (False, True))}
    try:
        for _ in range(1 + options.rounds):
            for (scale, flush), times in found.items():
                torch.set_flush_denormal(flush)
                made = prepared(scale)
                times.append([step(*made) for _ in range(2)][1])
    finally:
        torch.set_flush_denormal(False)
    print(f"{'weights':<8} {'denormal':>12} {'flushed':>12} {'ratio':>7}")
    for scale, name in ((1.0, "initial"), (DECAYED, "decayed")):
        kept, flushed = (statistics.median(found[scale, flush][1:]) for flush in (False, True))
        print(f"{name:<8} {kept:>9,.1f} ms {flushed:>9,.1f} ms {kept / flushed:>7.2f}")


if __name__ == "__main__":
    main()
