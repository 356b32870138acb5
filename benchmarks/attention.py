"""Torch's encoder layer with a padding mask, compared with ours:  python benchmarks/attention.py [--rounds 5]

Training steps, forward and backward, of a Transformer of two blocks of 128 on padded texts, on one thread: with torch's
nn.TransformerEncoder (which also drops attention weights, and so does not use the fused kernel) and with trainyard's
blocks, alternating. Prints the medians and their ratio.
"""

import argparse
import statistics
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainyard.models.transformer import Transformer

WORDS, LENGTH, DIM, HEADS, FF = 10_000, 256, 128, 4, 512


class Plain(nn.Module):
    """The same sizes, built from torch's layers as in its tutorials."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, DIM, padding_idx=0)
        self.positions = nn.Parameter(torch.zeros(LENGTH, DIM))
        layer = nn.TransformerEncoderLayer(DIM, HEADS, FF, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.head = nn.Linear(DIM, 1)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, 1)
        padding = tokens == 0
        x = self.encoder(self.embedding(tokens) + self.positions, src_key_padding_mask=padding)
        shown = (~padding)[..., None]
        return self.head((x * shown).sum(1) / shown.sum(1))


def texts(count: int) -> Tensor:
    """Random words (count, LENGTH), each text of 60 to LENGTH of them, padded at its end."""
    tokens = torch.randint(5, WORDS, (count, LENGTH))
    lengths = torch.randint(60, LENGTH + 1, (count, 1))
    return tokens.masked_fill(torch.arange(LENGTH) >= lengths, 0)


def step(net: nn.Module, tokens: Tensor, labels: Tensor) -> float:
    """The time of a step in milliseconds."""
    start = perf_counter()
    F.binary_cross_entropy_with_logits(net(tokens), labels).backward()
    net.zero_grad()
    return 1000 * (perf_counter() - start)


def main() -> None:
    """Take the steps in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    makers: dict[str, Callable[[], nn.Module]] = {
        "torch": Plain,
        "trainyard": lambda: Transformer(WORDS, LENGTH, 2, dim=DIM, heads=HEADS, ff_dim=FF),
    }
    nets = {name: make() for name, make in makers.items()}
    found: dict[str, list[float]] = {name: [] for name in nets}
    for turn in range(1 + options.rounds):  # the first warms up
        tokens, labels = texts(options.batch_size), torch.randint(2, (options.batch_size, 1)).float()
        for name, net in nets.items():
            milliseconds = step(net, tokens, labels)
            if turn:
                found[name].append(milliseconds)
    torchs, ours = (statistics.median(times) for times in found.values())
    print(f"torch {torchs:,.0f} ms, trainyard {ours:,.0f} ms a step: {ours / torchs:.2f} of the time")


if __name__ == "__main__":
    main()
