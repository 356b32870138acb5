import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from trainyard.models.bert import BERT
from trainyard.models.cnn import CNN
from trainyard.models.gpt import GPT
from trainyard.models.gru import GRU
from trainyard.models.layers.checkpointing import blocks, checkpoint_blocks
from trainyard.models.mlp import MLP
from trainyard.models.perceptron import Perceptron
from trainyard.models.resnet import ResNet
from trainyard.models.transformer import Transformer
from trainyard.models.vit import ViT

SMALL: dict[str, Any] = {"dim": 32, "depth": 3, "heads": 2, "ff_dim": 64, "dropout": 0.2, "attention_dropout": 0.1}
IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randint(1, 50, (4, 12), generator=torch.Generator().manual_seed(0))
TOKENS[0, 7:] = 0  # padding
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Tensor, int]] = {  # a network, its input, the number of its blocks
    "bert": (lambda: BERT(50, 12, **SMALL), TOKENS, 3),
    "gpt": (lambda: GPT(50, 12, 2, positions="rotary", **SMALL), TOKENS, 3),
    "transformer": (lambda: Transformer(50, 12, 2, stochastic_depth=0.5, **SMALL), TOKENS, 3),
    "vit": (lambda: ViT([3, 16, 16], 10, **SMALL), IMAGES, 3),
    "resnet": (lambda: ResNet([3, 16, 16], 10, [2, 1, 2], width=8, stochastic_depth=0.5), IMAGES, 5),
}


def make(name: str) -> tuple[nn.Module, nn.Module, Tensor]:
    """A network, the same one with its blocks checkpointed, and an input."""
    net, inputs, _ = NETWORKS[name]
    torch.manual_seed(0)
    plain = net()
    other = copy.deepcopy(plain)
    checkpoint_blocks(other)
    return plain, other, inputs


def steps(net: nn.Module, inputs: Tensor) -> list[Tensor]:
    """What two forward and backward passes give: outputs, gradients, running statistics, the next random number."""
    torch.manual_seed(1)
    seen: list[Tensor] = []
    for _ in range(2):
        output = net(inputs)
        output.square().mean().backward()
        seen.append(output.detach())
    return [*seen, *(p.grad for p in net.parameters() if p.grad is not None), *net.buffers(), torch.rand(3)]


def saved_bytes(net: nn.Module, inputs: Tensor) -> int:
    """The bytes of all tensors but the weights that are kept for the backward pass."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    own = {p.untyped_storage().data_ptr() for p in net.parameters()}
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        output = net(inputs)
    assert output.requires_grad
    return sum(tensor.untyped_storage().nbytes() for pointer, tensor in kept.items() if pointer not in own)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_bit_stays_with_dropout_on(name: str) -> None:
    plain, other, inputs = make(name)
    for mine, expected in zip(steps(other, inputs), steps(plain, inputs), strict=True):
        assert torch.equal(mine, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_less_memory_is_kept_for_the_backward_pass(name: str) -> None:
    plain, other, inputs = make(name)
    assert saved_bytes(other, inputs) < saved_bytes(plain, inputs) / 2


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_keep_their_names_and_copies_are_of_their_own(name: str) -> None:
    plain, other, inputs = make(name)
    assert list(other.state_dict()) == list(plain.state_dict())
    assert len(blocks(other)) == NETWORKS[name][2]
    twin = copy.deepcopy(other)  # as the average of weights is
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    for mine, expected in zip(steps(twin, inputs), steps(plain, inputs), strict=True):
        assert torch.equal(mine, expected)


def test_hooks_on_a_block_run_once_and_those_within_it_again() -> None:
    _, other, inputs = make("vit")
    calls: list[str] = []
    block = blocks(other)[0]
    block.register_forward_hook(lambda *_: calls.append("block"))
    block.get_submodule("attention").register_forward_hook(lambda *_: calls.append("attention"))
    other(inputs).sum().backward()
    assert calls == ["attention", "block", "attention"]


def test_without_a_backward_pass_nothing_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other, inputs = make("gpt")
    monkeypatch.setattr("trainyard.models.layers.checkpointing.checkpoint", None)
    with torch.no_grad():
        assert torch.equal(other.eval()(inputs), plain.eval()(inputs))


@pytest.mark.parametrize(
    "net",
    [
        MLP([2], 2, [4]), CNN([3, 16, 16], 2, [[4]]), GRU(50, 2, [4]), Perceptron([2], 2),
        nn.Sequential(nn.Linear(2, 2)),
    ],
    ids=lambda net: type(net).__name__,
)  # fmt: skip
def test_a_network_without_blocks_is_refused(net: nn.Module) -> None:
    assert blocks(net) == []
    with pytest.raises(ValueError, match=f"{type(net).__name__} has no repeated blocks"):
        checkpoint_blocks(net)


def test_a_network_of_ones_own_names_its_blocks() -> None:
    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))

    tower = Tower()
    assert blocks(tower) == list(tower.blocks)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make_net", [lambda: ViT([3, 8, 8], 2, **SMALL | {"depth": 1}), lambda: ResNet([3, 8, 8], 2, [1])]
)
def test_a_compiled_network_computes_the_same(make_net: Callable[[], nn.Module]) -> None:
    plain = make_net()
    other = copy.deepcopy(plain)
    checkpoint_blocks(other)
    plain.compile()
    other.compile()
    for mine, expected in zip(steps(other, IMAGES[..., :8, :8]), steps(plain, IMAGES[..., :8, :8]), strict=True):
        torch.testing.assert_close(mine, expected)
