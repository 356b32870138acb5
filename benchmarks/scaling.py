"""Arithmetic, not a measurement: what 1 to 1,024 GPUs would compute, keep and send; the tables of docs/scaling.md.

python benchmarks/scaling.py
"""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from trainyard.models.gpt import GPT
from trainyard.models.resnet import ResNet
from trainyard.training.scale import BANDWIDTHS, bytes_sent, least_share, memory, shares, step_seconds
from trainyard.training.units import milliseconds, num_bytes, with_prefix

GPUS = (1, 8, 64, 1024)
RATE = 1e14  # FLOP/s that a GPU reaches: a third of the peak of an A100 in bf16


def networks() -> dict[str, tuple[nn.Module, Tensor, int]]:
    """Networks without weights, with one sample each and the samples of a batch."""
    with torch.device("meta"):
        gpt = GPT(50257, 1024, dim=768, depth=12, heads=12, ff_dim=3072)
        return {
            "resnet18": (ResNet([3, 32, 32], 10, [2, 2, 2, 2]), torch.empty(1, 3, 32, 32), 8192),
            "gpt": (gpt, torch.empty(1, 1024, dtype=torch.long), 1024),
        }


def forward_flops(net: nn.Module, sample: Tensor) -> int:
    """FLOPs of the forward pass of one sample; a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter:
        net.eval()(sample)
    return counter.get_total_flops()


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, its numbers to the right."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["--:"] * len(head), *rows])


def steps(net: nn.Module, flops: int, batch_size: int, strategy: str) -> str:
    """Per number of GPUs: each one's share, the time to compute it, what it sends, and the fastest step."""
    head = ["GPUs", "samples each", "computes", "sends"]
    head += [f"at {with_prefix(bandwidth, 'B')}/s" for bandwidth in BANDWIDTHS]
    rows = []
    for count in GPUS:
        share, sent = shares(batch_size, count)[1], bytes_sent(net, count, strategy)
        times = [step_seconds(flops * share, RATE, sent, bandwidth, strategy) for bandwidth in BANDWIDTHS]
        compute = step_seconds(flops * share, RATE, 0, 1)[0]
        cells = [f"{milliseconds(least)} to {milliseconds(most)}, {compute / least:.0%}" for least, most in times]
        cells = cells if sent else [milliseconds(compute)] * len(cells)
        rows.append([f"{count:,}", f"{share:,}", milliseconds(compute), with_prefix(sent, "B"), *cells])
    return table(head, rows)


def smallest_shares(named: dict[str, tuple[nn.Module, int]]) -> str:
    """Per network, width of gradients and bandwidth: the share from which on sending is hidden."""
    rows = []
    for name, (net, flops) in named.items():
        for width, words in ((4, "fp32"), (2, "bf16 (comm_hook)")):
            sent = bytes_sent(net, GPUS[-1], "ddp", width)
            rows.append([name, words, *(f"{least_share(flops, RATE, sent, each):,}" for each in BANDWIDTHS)])
    return table(["network", "gradients", *(f"at {with_prefix(each, 'B')}/s" for each in BANDWIDTHS)], rows)


def memories(net: nn.Module) -> str:
    """Per strategy and number of GPUs: what each keeps, with AdamW, without activations."""
    state = 2 * sum(num_bytes(parameter) for parameter in net.parameters())
    rows = []
    for strategy in ("ddp", "fsdp"):
        for count in GPUS if strategy == "fsdp" else GPUS[:2]:
            need = memory(net, state, count, strategy)
            parts = (need.weights, need.gradients, need.optimizer, need.gathered, need.total)
            rows.append([strategy, f"{count:,}", *(with_prefix(part, "B") for part in parts)])
    head = ["strategy", "GPUs", "weights", "gradients", "optimizer", "gathered", "together"]
    return table(head, rows)


def main() -> None:
    """Print all tables."""
    found, flops = networks(), {}
    for name, (net, sample, batch_size) in found.items():
        flops[name] = forward_flops(net, sample)
        count = sum(parameter.numel() for parameter in net.parameters())
        for strategy in ("ddp",) if name == "resnet18" else ("ddp", "fsdp"):
            cost = f"{with_prefix(flops[name])}FLOP forward per sample"
            print(f"\n{name}, {strategy}: {count:,} parameters, {cost}, batches of {batch_size:,}\n")
            print(steps(net, flops[name], batch_size, strategy))
    print(f"\n{smallest_shares({name: (found[name][0], flops[name]) for name in found})}")
    print(f"\n{memories(found['gpt'][0])}")


if __name__ == "__main__":
    main()
