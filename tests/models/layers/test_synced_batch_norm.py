"""Two processes with unequal shares of a batch compute what one process does with all of it."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from processes import Process
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainyard.models.layers.checkpointing import checkpoint_blocks
from trainyard.models.layers.synced_batch_norm import SyncedBatchNorm, synchronize_batch_norm
from trainyard.models.resnet import ResNet

NETWORKS = {
    "2d": lambda: nn.BatchNorm2d(5),
    "1d": lambda: nn.Sequential(nn.Linear(3 * 6 * 6, 7), nn.BatchNorm1d(7, momentum=None)),
    "2d, fp64": lambda: nn.BatchNorm2d(5).double(),
    "no weights": lambda: nn.BatchNorm2d(5, affine=False, track_running_stats=False),
    "channels last": lambda: nn.BatchNorm2d(5).to(memory_format=torch.channels_last),  # pyright: ignore
    "resnet": lambda: ResNet([3, 6, 6], 5, [1, 1], width=4),
    "resnet, checkpointed": lambda: checkpoint_blocks(ResNet([3, 6, 6], 5, [1, 1], width=4)),
}
SHARES = {"unequal": (3, 5), "one empty": (8, 0)}
STEPS = 2


def make(name: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A network with weights that are not 1 and 0, a batch, and the weights of a loss."""
    torch.manual_seed(0)
    net = NETWORKS[name]()
    for part in net.modules():
        if isinstance(part, _BatchNorm) and part.affine:
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias)
    channels = 3 if "resnet" in name or name == "1d" else 5
    batch = torch.randn(8, channels, 6, 6) * torch.arange(1, 9).view(8, 1, 1, 1) / 6 + 1  # not alike in both shares
    if name == "1d":
        batch = batch.flatten(1)
    if name == "2d, fp64":
        batch = batch.double()
    if name == "channels last":
        batch = batch.to(memory_format=torch.channels_last)
    with torch.no_grad():
        shape = copy.deepcopy(net)(batch).shape
    return net, batch, torch.randn(shape) / shape.numel()


def train(net: nn.Module, batch: torch.Tensor, weights: torch.Tensor) -> dict[str, Any]:
    """Two steps: the last one's outputs and gradients, and the statistics after both."""
    for _ in range(STEPS):
        net.zero_grad()
        x = batch.clone(memory_format=torch.preserve_format).requires_grad_()
        output = net(x)
        (output * weights).sum().backward()
    gradients = {name: p.grad for name, p in net.named_parameters()}
    return {"output": output, "input": x.grad, "gradients": gradients, "buffers": dict(net.named_buffers())}


def train_a_share(words: list[str]) -> None:
    """As one of two processes: train all networks on its shares, and save the results."""
    rank, folder = int(words[0]), Path(words[1])
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    results = {}
    for name in NETWORKS:
        for share, sizes in SHARES.items():
            net, batch, weights = make(name)
            net = synchronize_batch_norm(net)
            results[name, share] = train(net, batch.split(sizes)[rank], weights.split(sizes)[rank])
            x = batch.clone()
            results[name, share]["evaluated"] = net.eval()(x).detach()
    torch.save(results, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> list[dict[tuple[str, str], Any]]:
    folder = tmp_path_factory.mktemp("shares")
    started = [Process(train_a_share, [str(rank), str(folder)], folder) for rank in range(2)]
    ended = [(process.communicate(), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", NETWORKS)
def test_two_processes_are_one(name: str, share: str, shares: list[dict[tuple[str, str], Any]]) -> None:
    """To 1e-6 of what torch computes in double precision, of which its own fp32 is as far away."""
    net, batch, weights = make(name)
    expected = train(net.double(), batch.double(), weights.double())
    parts = [each[name, share] for each in shares]

    def close(mine: torch.Tensor, theirs: torch.Tensor) -> None:
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6, check_dtype=False)

    for key in ("output", "input"):
        close(torch.cat([part[key] for part in parts]), expected[key])
    for key, gradient in expected["gradients"].items():
        close(parts[0]["gradients"][key] + parts[1]["gradients"][key], gradient)
    for key, value in expected["buffers"].items():
        assert torch.equal(parts[0]["buffers"][key], parts[1]["buffers"][key])
        close(parts[0]["buffers"][key], value)


@pytest.mark.parametrize("name", NETWORKS)
def test_in_evaluation_and_in_one_process_it_is_torchs_own_to_the_bit(
    name: str, shares: list[dict[tuple[str, str], Any]]
) -> None:
    net, batch, weights = make(name)
    alone = synchronize_batch_norm(copy.deepcopy(net))
    mine, theirs = train(alone, batch, weights), train(net, batch, weights)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
    for key, value in shares[0][name, "unequal"]["buffers"].items():
        net.get_buffer(key).copy_(value)
    assert torch.equal(shares[0][name, "unequal"]["evaluated"], net.eval()(batch))


def test_a_replaced_norm_keeps_all_that_it_has() -> None:
    net = nn.Sequential(
        nn.BatchNorm2d(3, eps=0.1, momentum=0.3, dtype=torch.float64), nn.LayerNorm(2), nn.BatchNorm1d(2)
    )
    net[0].weight.requires_grad_(False)
    net[2].eval()
    calls: list[int] = []
    net[0].register_forward_hook(lambda *_: calls.append(1))
    before = {name: id(p) for name, p in net.state_dict(keep_vars=True).items()}
    assert synchronize_batch_norm(net) is net
    assert [type(part) for part in net] == [SyncedBatchNorm, nn.LayerNorm, SyncedBatchNorm]
    assert {name: id(p) for name, p in net.state_dict(keep_vars=True).items()} == before
    assert (net[0].eps, net[0].momentum, net[0].training, net[2].training) == (0.1, 0.3, True, False)
    assert not net[0].weight.requires_grad
    net[0](torch.randn(2, 3, 2, 2, dtype=torch.float64))
    assert calls == [1]


def test_a_norm_with_a_forward_of_its_own_stays() -> None:
    class Own(nn.BatchNorm2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return input

    assert type(synchronize_batch_norm(Own(3))) is Own
    assert type(synchronize_batch_norm(nn.BatchNorm3d(3), accelerator="gpu")) is nn.SyncBatchNorm
