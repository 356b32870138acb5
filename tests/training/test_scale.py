"""The arithmetic of many processes: torch's fake process group (private, for tests alone) shards and sends the same."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode

import trainyard
from trainyard.errors import UserError
from trainyard.models.gpt import GPT
from trainyard.models.layers.checkpointing import blocks
from trainyard.models.mlp import MLP
from trainyard.models.resnet import ResNet
from trainyard.models.vit import ViT
from trainyard.training.scale import (
    Memory,
    bytes_sent,
    describe_scale,
    groups,
    least_share,
    memory,
    shard_bytes,
    shares,
    step_seconds,
)

SMALL = partial(GPT, 503, 32, dim=48, depth=2, heads=2, ff_dim=96, dropout=0.0)
LARGE = partial(GPT, 50257, 1024, dim=768, depth=12, heads=12, ff_dim=3072)  # 124 M parameters


class Sent(TorchDispatchMode):
    """Counts the bytes that a ring sends from this process for each gathering and for each divided sum."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.name() in ("c10d::_allgather_base_", "c10d::_reduce_scatter_base_"):
            whole, part = sorted((args[0], args[1]), key=torch.numel, reverse=True)
            self.bytes += (whole.numel() - part.numel()) * whole.element_size()
        return func(*args, **(kwargs or {}))


@pytest.fixture
def sharded() -> Iterator[Callable[..., nn.Module]]:
    """Shards a network's blocks and the rest over as many processes as asked for, of which this is the first."""

    def shard(net: nn.Module, processes: int) -> nn.Module:
        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=processes)
        mesh = init_device_mesh("cpu", (processes,))
        for part in [*blocks(net), net]:
            fully_shard(part, mesh=mesh)
        return net

    yield shard
    dist.destroy_process_group()


@pytest.mark.parametrize("processes", [2, 8, 1024])
@pytest.mark.parametrize("make", [LARGE, partial(ViT, [3, 32, 32], 10)])
def test_the_first_process_has_the_shards_of_the_arithmetic(
    make: Callable[[], nn.Module], processes: int, sharded: Callable[..., nn.Module]
) -> None:
    with torch.device("meta"):
        net, other = make(), make()
    real = sum(p.to_local().numel() * p.element_size() for p in sharded(other, processes).parameters())  # pyright: ignore
    assert memory(net, 0, processes, "fsdp").weights == shard_bytes(net.parameters(), processes) == real


@pytest.mark.parametrize("processes", [2, 8, 1024])
@pytest.mark.parametrize(
    ("make", "inputs"),
    [(SMALL, torch.ones(2, 32, dtype=torch.long)), (partial(ViT, [3, 8, 8], 3), torch.ones(2, 3, 8, 8))],
)
def test_fsdp_sends_the_bytes_of_the_arithmetic(
    make: Callable[[], nn.Module], inputs: torch.Tensor, processes: int, sharded: Callable[..., nn.Module]
) -> None:
    net = sharded(make(), processes)
    with Sent() as sent:
        net(inputs).sum().backward()
    assert sent.bytes == bytes_sent(make(), processes, "fsdp")


def test_memory_by_hand() -> None:
    net = MLP([10], 4, [20])
    whole = 4 * (10 * 20 + 20 + 20 * 4 + 4)
    assert memory(net, 2 * whole) == Memory(whole, whole, 2 * whole)
    assert memory(net, 2 * whole, 3) == Memory(whole, whole, 2 * whole)
    part = 4 * (7 * 10 + 7 + 2 * 20 + 2)  # of three processes each has at most 7 of 20 rows, 2 of 4
    assert memory(net, 2 * whole, 3, "fsdp") == Memory(part, part, round(2 * whole * part / whole), gathered=6 * part)
    assert Memory(1, 2, 3, 4).total == 10


def test_blocks_are_gathered_one_by_one_and_the_rest_together() -> None:
    net = SMALL()
    outside, first, second = groups(net)
    assert sum(map(torch.numel, outside)) == 503 * 48 + 32 * 48 + 2 * 48  # the embeddings and the last norm
    assert sum(map(torch.numel, [*outside, *first, *second])) == sum(map(torch.numel, net.parameters()))
    rest, block = 4 * (504 + 32 + 2) * 48, 4 * sum(map(torch.numel, first))  # 252 rows of the 503 in each process
    assert memory(net, 0, 2, "fsdp").gathered == rest + 2 * block + max(rest, block)
    resnet = ResNet([3, 8, 8], 2, [1, 2], width=4)
    assert len(groups(resnet)) == 1 + 3 and len(groups(MLP([2], 2, [3]))) == 1


@pytest.mark.parametrize(
    ("samples", "processes", "expected"),
    [(8, 2, (4, 4)), (7, 2, (3, 4)), (3, 4, (1, 1)), (4, 4, (1, 1)), (5, 1, (5, 5))],
)
def test_shares(samples: int, processes: int, expected: tuple[int, int]) -> None:
    assert shares(samples, processes) == expected


def test_a_ring_sends_all_gradients_almost_twice() -> None:
    net = MLP([10], 4, [20])
    assert [bytes_sent(net, n) for n in (1, 2, 4)] == [0, 304 * 4, 304 * 4 * 1.5]
    assert bytes_sent(net, 2, bytes_per_gradient=2) == 304 * 2
    assert bytes_sent(net, 1, "fsdp") == 0


def test_the_times_of_a_step() -> None:
    assert step_seconds(10, 10, 1, 1) == (3, 4)  # one second of sending hides behind two of the backward pass
    assert step_seconds(10, 10, 5, 1) == (6, 8)
    assert step_seconds(10, 10, 5, 1, "fsdp") == (5, 8)
    share = least_share(3.0, 10, 5, 1)
    assert step_seconds(3.0 * share, 10, 5, 1)[0] == pytest.approx(9 * share / 10)  # the sending is hidden
    assert step_seconds(3.0 * (share - 1), 10, 5, 1)[0] > 9 * (share - 1) / 10


def test_a_training_on_1024_gpus_in_words() -> None:
    with torch.device("meta"):
        net = LARGE()
    lines = describe_scale(net, 8, 128, "ddp", 2048, 5000, 995_518_464, 1e8).splitlines()
    assert lines[0] == "processes:    1,024 (128 machines of 8), hardware.strategy=ddp"
    copies = "1 batch of 904 samples (1 in each process, a copy in 120 of them)"
    assert lines[1] == f"an epoch:     2 batches of 2,048 samples (2 in each process), then {copies}"
    assert lines[2].startswith("each keeps:   about 2.19 GB: weights 498 MB, gradients 498 MB, ")
    assert lines[2].endswith("optimizer 996 MB, activations 200 MB")
    assert lines[3] == "each sends:   995 MB a step: 4.97 ms at 200 GB/s, 79.6 ms at 12.5 GB/s, 796 ms at 1.25 GB/s"
    assert "real bandwidth" in lines[4]
    uneven = describe_scale(net, 2, 1, "fsdp", 8, 15)
    assert "then 1 batch of 7 samples (3 or 4 in each process)" in uneven and "gathered weights 3" in uneven


def test_a_dry_run_describes_processes_that_it_does_not_start(
    short: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    words = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "data.batch_size=64", "check=true",
             "hardware.devices=4", "hardware.num_nodes=2"]  # fmt: skip
    with pytest.raises(UserError, match="check=true trains nothing"):
        trainyard.train([*short, *words])
    assert "batches of 8:" in caplog.text and "8 (2 machines of 4), hardware.strategy=ddp" in caplog.text
    assert "2 batches of 64 samples (8 in each process), then 1 batch of 52 samples (6 or 7 in each" in caplog.text
