"""What each of many processes computes, keeps and sends: arithmetic alone, for which none has to be started."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from math import ceil, prod

from torch import nn

from trainyard.models.layers.checkpointing import blocks
from trainyard.training.units import milliseconds, num_bytes, with_prefix

BANDWIDTHS = (200e9, 12.5e9, 1.25e9)  # bytes per second: NVLink; one adapter of 100 Gbit/s, or PCIe 3.0; of 10 Gbit/s


@dataclass(frozen=True)
class Memory:
    """Bytes that the process with most of them keeps, activations aside."""

    weights: int
    gradients: int
    optimizer: int
    gathered: int = 0  # fsdp: whole weights and gradients, for as long as they are used

    @property
    def total(self) -> int:
        """All of it."""
        return sum(astuple(self))


def shares(samples: int, processes: int) -> tuple[int, int]:
    """The smallest and the largest share of a batch; of fewer samples than processes, some have a copy of one."""
    return max(1, samples // processes), ceil(samples / processes)


def groups(net: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters that FSDP gathers together: those outside of blocks (first), then each block's."""
    parts = [list(block.parameters()) for block in blocks(net)]
    inside = {id(parameter) for part in parts for parameter in part}
    return [[parameter for parameter in net.parameters() if id(parameter) not in inside], *parts]


def shard_bytes(parameters: Iterable[nn.Parameter], processes: int) -> int:
    """The bytes of one process's part of parameters, each of which FSDP divides along its first axis.

    All processes keep and send as much as the one with most rows: of 768 rows on 1,024 processes, each has one, 256 of
    them only room for it.
    """
    shapes = [(parameter.shape or (1,), parameter.element_size()) for parameter in parameters]
    return sum(ceil(rows / processes) * prod(rest) * width for (rows, *rest), width in shapes)


def memory(net: nn.Module, state_bytes: int, processes: int = 1, strategy: str = "ddp") -> Memory:
    """The memory of a process; `state_bytes` is the size of the optimizer's state in a single one.

    Under ddp each process has all of it. Under fsdp it has its part, and gathered: what is outside of blocks, the block
    that is computed and the next one, and the gradients of one of these groups until they are divided.
    """
    weights = sum(num_bytes(parameter) for parameter in net.parameters())
    if processes == 1 or strategy == "ddp":  # gradients are sent from where they are (gradient_as_bucket_view)
        return Memory(weights, weights, state_bytes)
    outside, *inside = (processes * shard_bytes(group, processes) for group in groups(net))
    gathered = outside + sum(sorted(inside)[-2:]) + max([outside, *inside])
    shard = shard_bytes(net.parameters(), processes)
    return Memory(shard, shard, round(state_bytes * shard / max(1, weights)), gathered=gathered)


def bytes_sent(net: nn.Module, processes: int, strategy: str = "ddp", bytes_per_gradient: int | None = None) -> float:
    """What each process sends, and receives, for one step of the optimizer.

    ddp: a ring sums all gradients, 2 (n - 1) / n times their bytes (Patarasuk & Yuan, 2009). `bytes_per_gradient` is
    the width of what is sent, by default the parameter's own; 2 with comm_hook. fsdp: blocks are gathered for the
    forward pass and again for the backward pass, the rest once, and gradients are summed where their part is kept:
    (n - 1) / n times the bytes each time.
    """
    if strategy == "ddp":
        gradients = sum(p.numel() * (bytes_per_gradient or p.element_size()) for p in net.parameters())
        return 2 * (processes - 1) / processes * gradients
    outside, *inside = (shard_bytes(group, processes) for group in groups(net))
    return (processes - 1) * (2 * outside + 3 * sum(inside))


def step_seconds(
    flops: float, rate: float, sent: float, bandwidth: float, strategy: str = "ddp"
) -> tuple[float, float]:
    """Seconds of a step: the fewest, if all is sent while something is computed, and the most, if nothing is.

    `flops` are those of the forward pass over a process's share, of which the backward pass takes twice as many;
    `rate` is how many a second the device reaches, `bandwidth` how many bytes the slowest connection transfers. ddp can
    send during the backward pass alone, fsdp during both.
    """
    forward, exchange = flops / rate, sent / bandwidth
    least = max(3 * forward, exchange) if strategy == "fsdp" else forward + max(2 * forward, exchange)
    return least, 3 * forward + exchange


def least_share(flops: float, rate: float, sent: float, bandwidth: float) -> int:
    """The samples of a process from which on the backward pass takes as long as what is sent meanwhile.

    `flops` are those of one sample's forward pass.
    """
    return ceil(sent / bandwidth / (2 * flops / rate))


def describe_scale(
    net: nn.Module, devices: int, num_nodes: int, strategy: str, batch_size: int, samples: int, state_bytes: int = 0,
    activation_bytes: float = 0.0, bytes_per_gradient: int | None = None,
) -> str:  # fmt: skip
    """A training in devices x num_nodes processes, in words: its batches, memory and network, and what is not seen.

    `samples` is the size of the training set, `activation_bytes` what the backward pass needs of one sample.
    """
    processes = devices * num_nodes
    machines = f"{num_nodes:,} machine{'s' * (num_nodes > 1)} of {devices:,}"
    full, rest = divmod(samples, batch_size)
    batches = [(full, batch_size)] * (full > 0) + [(1, rest)] * (rest > 0)
    largest = shares(batch_size, processes)[1]
    need = memory(net, state_bytes, processes, strategy)
    parts = {
        "weights": need.weights, "gradients": need.gradients,
        "optimizer": need.optimizer, "gathered weights": need.gathered, "activations": activation_bytes * largest,
    }  # fmt: skip
    sent = bytes_sent(net, processes, strategy, bytes_per_gradient)
    times = [f"{milliseconds(sent / speed)} at {with_prefix(speed, 'B')}/s" for speed in BANDWIDTHS]
    lines = {
        "processes": f"{processes:,} ({machines}), hardware.strategy={strategy}",
        "an epoch": ", then ".join(
            f"{count:,} batch{'es' * (count > 1)} of {describe_batch(size, processes)}" for count, size in batches
        ),
        "each keeps": f"about {with_prefix(need.total + activation_bytes * largest, 'B')}: "
        + ", ".join(f"{name} {with_prefix(value, 'B')}" for name, value in parts.items() if value),
        "each sends": f"{with_prefix(sent, 'B')} a step: {', '.join(times)}",
        "not seen": "real bandwidth and latency, how much is sent during the backward pass, the kernels' workspace, "
        "fragmented memory, the reading of data",
    }
    return "\n".join(f"{name + ':':<13} {text}" for name, text in lines.items())


def describe_batch(samples: int, processes: int) -> str:
    """The size of a batch, and how many of its samples each process has."""
    if samples < processes:
        return f"{samples:,} samples (1 in each process, a copy in {processes - samples:,} of them)"
    least, most = shares(samples, processes)
    return f"{samples:,} samples ({least:,}{f' or {most:,}' if least < most else ''} in each process)"
