"""Time against qubits:  python benchmarks/quantum.py [--most 12] [--rounds 20] [--plot docs/images/quantum.png]

Training steps, forward and backward, of model=quantum with 2 qubits up to `--most`, and of an MLP with about as many
weights, on one thread, in turn. Prints the fastest of `--rounds` steps, to which other programs add the least, and the
least memory that the states take; draws the times.
"""

import argparse
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.figures.style import COLORS, NEUTRAL, panels
from trainyard.models.layers.memory import bytes_needed
from trainyard.models.mlp import MLP
from trainyard.models.quantum import Quantum

FEATURES, CLASSES = 64, 10
Row = tuple[int, float, float]  # qubits, milliseconds of the quantum network and of the MLP


def networks(qubits: int, depth: int) -> tuple[Quantum, MLP]:
    """A quantum network with an encoder, and an MLP whose hidden layer is as wide as its weights allow."""
    quantum = Quantum([FEATURES], CLASSES, qubits, depth, encoder=2)
    width = max(1, round((count(quantum) - CLASSES) / (FEATURES + 1 + CLASSES)))
    return quantum, MLP([FEATURES], CLASSES, [width])


def count(net: nn.Module) -> int:
    """Its weights."""
    return sum(weight.numel() for weight in net.parameters())


def step(net: nn.Module, x: Tensor, labels: Tensor) -> float:
    """The time of a step in milliseconds."""
    start = perf_counter()
    F.cross_entropy(net(x), labels).backward()
    net.zero_grad()
    return 1000 * (perf_counter() - start)


def measure(qubits: int, depth: int, batch_size: int, rounds: int) -> Row:
    """Print and return the fastest steps."""
    pair = networks(qubits, depth)
    x, labels = torch.randn(batch_size, FEATURES), torch.randint(CLASSES, (batch_size,))
    times = [[step(net, x, labels) for net in pair] for _ in range(1 + rounds)]
    quantum, mlp = (min(found) for found in zip(*times, strict=True))
    memory = bytes_needed(pair[0], batch_size) / 1e6
    weights = " and ".join(f"{count(net):,}" for net in pair)
    print(f"| {qubits} | {quantum:.2f} | {mlp:.2f} | {quantum / mlp:.0f} | {memory:.2f} | {weights} |", flush=True)
    return qubits, quantum, mlp


def draw(rows: list[Row], title: str, file: str) -> None:
    """The times over qubits, on a logarithmic scale."""
    figure, (panel,) = panels(1, width=4.8, height=3.2)
    qubits, *series = zip(*rows, strict=True)
    for times, name, color in zip(series, ("model=quantum", "MLP of as many weights"), COLORS, strict=False):
        panel.plot(qubits, times, marker="o", markersize=3, linewidth=1.4, color=color, label=name)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.set_xticks(qubits)
    panel.set_xlabel("qubits", fontsize=8)
    panel.set_ylabel("ms of a training step", fontsize=8)
    panel.set_title(title, fontsize=9)
    panel.legend(frameon=False, fontsize=8, labelcolor=NEUTRAL)
    figure.savefig(file, dpi=100)


def main() -> None:
    """Print a row for each number of qubits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=12)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--plot", help="a PNG file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = options.depth, options.batch_size, options.rounds
    print("| qubits | ms a step | MLP's | times as long | MB of states | weights of both |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = [measure(qubits, *sizes) for qubits in range(2, options.most + 1)]
    if options.plot:
        draw(rows, f"{options.depth} layers, batches of {options.batch_size}, one thread", options.plot)


if __name__ == "__main__":
    main()
