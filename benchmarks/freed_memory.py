"""What keeping freed memory (hardware/platform_quirks.py) gains:  python benchmarks/freed_memory.py [--rounds 3]

A training step, forward and backward, of several networks on one thread: in processes with glibc's default, and in
processes that configure it to keep freed memory, alternating. Prints the medians in milliseconds and their ratio.
"""

import argparse
import json
import statistics
import subprocess
import sys
from time import perf_counter

import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate_task
from trainyard.config.resolve import resolve
from trainyard.hardware.platform_quirks import keep_freed_memory
from trainyard.tasks.base import Task

NETWORKS = {
    "transformer": ["experiment=imdb_transformer"],
    "bert": ["experiment=imdb_bert_pretrain"],
    "gpt": ["experiment=imdb_gpt"],
    "vit": ["experiment=cifar10_vit"],
    "cnn": ["experiment=cifar10_cnn_best"],
    "resnet18": ["experiment=cifar10_animals"],
    "gru": ["experiment=imdb_gru"],
}


def batch_of(data) -> tuple[torch.Tensor, torch.Tensor]:
    """Random inputs and targets with the shapes of the config."""
    if "shape" in data:
        return torch.randn(data.batch_size, *data.shape), torch.randint(data.num_classes, (data.batch_size,))
    tokens = torch.randint(5, data.vocab_size, (data.batch_size, data.max_length))
    if "num_classes" in data:
        return tokens, torch.randint(data.num_classes, (data.batch_size,))
    hidden = torch.rand(tokens.shape) < data.get("mask_share", 1.0)
    return tokens, torch.where(hidden, tokens, -100)


def step(task: Task, batch: tuple[torch.Tensor, torch.Tensor]) -> float:
    """The time of a step in milliseconds."""
    start = perf_counter()
    task.score(batch).loss.backward()
    task.zero_grad()
    return 1000 * (perf_counter() - start)


def median_steps(networks: dict[str, list[str]], steps: int) -> dict[str, float]:
    """The median step of each network in milliseconds, in this process."""
    found = {}
    for name, words in networks.items():
        cfg = resolve(compose([*words, "hardware=cpu", "hardware.precision=32-true", "run.dir=x"]))
        task, batch = instantiate_task(cfg), batch_of(cfg.data)
        found[name] = statistics.median([step(task, batch) for _ in range(2 + steps)][2:])
    return found


def main() -> None:
    """Start the processes in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="default: all")
    parser.add_argument("--only", choices=("kept", "returned"), help="measure in this process, print JSON")
    options = parser.parse_args()
    if options.only:
        torch.set_num_threads(1)
        if options.only == "kept":
            keep_freed_memory()
        print(json.dumps(median_steps({name: NETWORKS[name] for name in options.networks}, options.steps)))
        return
    found: dict[str, list[dict[str, float]]] = {"returned": [], "kept": []}
    for _ in range(options.rounds):
        for mode, rounds in found.items():
            words = [sys.executable, __file__, "--only", mode, "--steps", str(options.steps)]
            words += ["--networks", *options.networks]
            rounds.append(json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout))
    print(f"{'network':<12} {'returned':>10} {'kept':>10} {'ratio':>7}")
    for name in options.networks:
        returned, kept = (statistics.median(round[name] for round in rounds) for rounds in found.values())
        print(f"{name:<12} {returned:>7,.1f} ms {kept:>7,.1f} ms {kept / returned:>7.2f}")


if __name__ == "__main__":
    main()
