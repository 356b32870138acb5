"""Shapes, sizes and refusals of the networks. That each trains is tested with its YAML, in test_conf.py."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.ops import StochasticDepth

from trainyard.models.airbench import Airbench
from trainyard.models.cnn import CNN
from trainyard.models.layers.activations import ACTIVATIONS
from trainyard.models.mlp import MLP
from trainyard.models.perceptron import Perceptron
from trainyard.models.resnet import ResNet

ARTICLE = [[32, 32], [64, 64], [128]]
IMAGE = [3, 32, 32]


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("classes", "logits"), [(2, 1), (3, 3), (10, 10)])
@pytest.mark.parametrize(
    "make",
    [lambda n: MLP(IMAGE, n, [8]), lambda n: CNN(IMAGE, n, ARTICLE), lambda n: ResNet(IMAGE, n, [1, 1], width=4)],
)
def test_two_classes_take_one_logit_more_take_one_each(make, classes: int, logits: int) -> None:
    assert make(classes)(torch.zeros(2, *IMAGE)).shape == (2, logits)


def test_the_cnn_is_the_articles() -> None:
    """Layer by layer: 32, 32, 64, 64, 128 channels of unpadded 3x3, then 512 and 10 units."""
    sizes = [32 * (3 * 9 + 1), 32 * (32 * 9 + 1), 64 * (32 * 9 + 1), 64 * (64 * 9 + 1), 128 * (64 * 9 + 1)]
    assert count(CNN(IMAGE, 10, ARTICLE)) == sum(sizes) + 512 * (128 + 1) + 10 * 513
    dropouts = [m.p for m in CNN(IMAGE, 10, ARTICLE).modules() if isinstance(m, torch.nn.Dropout)]
    assert dropouts == [0.25, 0.25, 0.25, 0.5]


def randomized(net: nn.Module) -> list[torch.Tensor]:
    """The state of a network in evaluation mode, all of it random, in the order of its layers."""
    torch.manual_seed(0)
    state = {name: torch.rand_like(value) if value.is_floating_point() else value
             for name, value in net.eval().state_dict().items()}  # fmt: skip
    net.load_state_dict(state)
    return [value for value in state.values() if value.is_floating_point()]


def test_the_mlp_normalizes_before_each_activation() -> None:
    """The same numbers as written out by hand."""
    net = MLP([4], 3, [6, 5], dropout=[0.5, 0.3], batch_norm=True)
    w1, b1, scale1, shift1, mean1, var1, w2, b2, scale2, shift2, mean2, var2, w3, b3 = randomized(net)
    x = torch.randn(7, 4)
    hidden = F.relu(F.batch_norm(F.linear(x, w1, b1), mean1, var1, scale1, shift1))
    hidden = F.relu(F.batch_norm(F.linear(hidden, w2, b2), mean2, var2, scale2, shift2))
    torch.testing.assert_close(net(x), F.linear(hidden, w3, b3))


def test_the_mlp_drops_what_its_activations_give() -> None:
    net, seen = MLP([4], 3, [4000], activation="sigmoid", dropout=0.3), []
    net.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net.train()(torch.zeros(1, 4))
    assert (seen[0] == 0).float().mean().item() == pytest.approx(0.3, abs=0.05)  # no sigmoid is zero itself
    assert [m.p for m in MLP([2], 2, [4, 4], dropout=[0.5, 0.3]).modules() if isinstance(m, nn.Dropout)] == [0.5, 0.3]
    assert [m.p for m in MLP([2], 2, [4, 4], dropout=0.2).modules() if isinstance(m, nn.Dropout)] == [0.2, 0.2]


def test_the_cnn_normalizes_before_each_activation_and_may_keep_the_size() -> None:
    """The same numbers as written out by hand, from images of 8 x 8 pixels to 2 x 2."""
    net = CNN([3, 8, 8], 10, [[4, 4], [6]], dense=5, batch_norm=True, padding=1)
    state, x = iter(randomized(net)), torch.randn(2, 3, 8, 8)

    def step(x: torch.Tensor, function) -> torch.Tensor:
        weight, bias, scale, shift, mean, var = (next(state) for _ in range(6))
        return F.relu(F.batch_norm(function(x, weight, bias), mean, var, scale, shift))

    conv = partial(F.conv2d, padding=1)
    hidden = F.max_pool2d(step(step(x, conv), conv), 2)
    hidden = F.max_pool2d(step(hidden, conv), 2)
    hidden = step(hidden.flatten(1), F.linear)
    torch.testing.assert_close(net(x), F.linear(hidden, *state))


def test_the_imagenet_stem_is_the_papers() -> None:
    """As many weights as torchvision's ResNet-18 and 34, and the same sizes on the way."""
    ours = ResNet([3, 224, 224], 1000, [2, 2, 2, 2], stem="imagenet")
    assert count(ours) == count(torchvision.models.resnet18()) == 11_689_512
    assert count(ResNet([3, 224, 224], 1000, [3, 4, 6, 3])) == count(torchvision.models.resnet34())
    assert ours.stem(torch.zeros(1, 3, 224, 224)).shape == (1, 64, 56, 56)


def test_the_resnet_computes_what_torchvisions_does() -> None:
    """With the same weights in the same order, the same logits."""
    torch.manual_seed(0)
    ours, theirs = ResNet([3, 64, 64], 10, [2, 2, 2, 2], stem="imagenet"), torchvision.models.resnet18(num_classes=10)
    mine = dict(ours.state_dict())
    # Both list each block as residual then shortcut, so that the orders agree.
    theirs.load_state_dict(dict(zip(theirs.state_dict(), mine.values(), strict=True)))
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_resnet50_is_torchvisions() -> None:
    """As many weights and, with the same ones in the same order, the same logits."""
    torch.manual_seed(0)
    ours = ResNet([3, 64, 64], 1000, [3, 4, 6, 3], stem="imagenet", block="bottleneck")
    theirs = torchvision.models.resnet50()
    assert count(ours) == count(theirs) == 25_557_032
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_the_chance_to_skip_a_block_rises_linearly_with_depth() -> None:
    torch.manual_seed(0)
    net = ResNet(IMAGE, 10, [1, 2, 1], width=4, stochastic_depth=0.4)
    drops = [m.p for m in net.modules() if isinstance(m, StochasticDepth)]
    assert drops == pytest.approx([0.1, 0.2, 0.3, 0.4])
    x = torch.randn(1, *IMAGE).expand(64, -1, -1, -1)
    assert len(net.train()(x).unique(dim=0)) > 1
    torch.testing.assert_close(net.eval()(x)[0], net(x)[1])
    plain = ResNet(IMAGE, 10, [1, 2, 1], width=4)
    assert plain.state_dict().keys() == net.state_dict().keys()


def test_published_weights_of_a_resnet_go_where_they_belong(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    theirs = torchvision.models.resnet18()
    name = torchvision.models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
    torch.save(theirs.state_dict(), tmp_path / "hub" / "checkpoints" / name)
    net = ResNet([3, 96, 96], 1000, [2, 2, 2, 2])
    net.load_state_dict(net.imagenet())
    x = torch.randn(1, 3, 96, 96)
    torch.testing.assert_close(net.eval()(x), theirs.eval()(x))
    with pytest.raises(ValueError, match="are for the 7x7 stem; set model.stem=imagenet"):
        ResNet(IMAGE, 10, [2, 2, 2, 2]).imagenet()
    with pytest.raises(ValueError, match="published weights exist only for model=resnet18, resnet34 and resnet50"):
        ResNet(IMAGE, 10, [1]).imagenet()


@pytest.mark.parametrize(("size", "stem"), [(32, "cifar"), (64, "cifar"), (96, "imagenet")])
def test_the_stem_follows_the_size_of_the_images(size: int, stem: str) -> None:
    auto, chosen = (ResNet([3, size, size], 10, [1], width=4, stem=name) for name in ("auto", stem))
    assert [p.shape for p in auto.parameters()] == [p.shape for p in chosen.parameters()]


def test_squared_relu_by_hand() -> None:
    x = torch.tensor([-2.0, 0.0, 0.5, 3.0], requires_grad=True)
    y = ACTIVATIONS["squared_relu"]()(x)
    y.sum().backward()
    assert y.tolist() == [0, 0, 0.25, 9] and x.grad is not None and x.grad.tolist() == [0, 0, 1, 6]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_can_be_chosen(name: str) -> None:
    assert type(ACTIVATIONS[name]()) in {type(m) for m in MLP([2], 2, [4], activation=name).modules()}


@pytest.mark.parametrize(("init", "variance"), [("torch", 1 / 300), ("glorot", 2 / 300), ("he", 2 / 100)])
def test_initial_weights_have_their_published_variance(init: str, variance: float) -> None:
    torch.manual_seed(0)
    layer = MLP([100], 10, [200], init=init).body[1]
    assert layer.weight.detach().var().item() == pytest.approx(variance, rel=0.05)
    assert (layer.bias.detach().abs().max() == 0) == (init != "torch")


def test_a_perceptron_starts_at_zero() -> None:
    assert all(p.abs().max() == 0 for p in Perceptron([2], 2).parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP([2], 2, [4], activation="rleu"), "activation=rleu is unknown; choose one of sigmoid"),
        (lambda: MLP([2], 2, [4], init="xavier"), "init=xavier is unknown; choose one of torch, glorot, he"),
        (lambda: MLP([2], 2, [0]), r"widths=\[0\]: every hidden layer needs at least 1 unit"),
        (lambda: MLP([2], 2, [4, 4], dropout=[0.5]), r"dropout=\[0.5\] must have a rate for each of widths=\[4, 4\]"),
        (lambda: MLP([2], 2, [4], dropout=1.0), r"dropout=1.0 must be in \[0, 1\)"),
        (lambda: MLP([2], 1, [4]), "num_classes=1: a classifier needs at least 2"),
        (lambda: CNN([2], 2, ARTICLE), r"the CNN takes images .*not samples of shape \[2\]"),
        (lambda: CNN([3, 16, 16], 2, ARTICLE), r"shape \[3, 16, 16\] are too small for the CNN's stages"),
        (lambda: CNN(IMAGE, 2, ARTICLE, stage_dropout=1.5), r"stage_dropout=1.5 must be in \[0, 1\)"),
        (lambda: CNN(IMAGE, 2, ARTICLE, padding=2), r"padding=2 must be 0 \(none\) or 1"),
        (lambda: ResNet([2], 2, [1]), r"the ResNet takes images .*not samples of shape \[2\]"),
        (lambda: ResNet(IMAGE, 2, [1], stem="cfiar"), "stem=cfiar is unknown; choose one of auto, cifar, imagenet"),
        (lambda: ResNet(IMAGE, 2, [1], block="bsaic"), "block=bsaic is unknown; choose one of basic, bottleneck"),
        (lambda: ResNet(IMAGE, 2, [1], stochastic_depth=1.0), r"stochastic_depth=1.0 must be in \[0, 1\)"),
        (lambda: ResNet(IMAGE, 2, []), r"width=64 and all of blocks=\[\] must be at least 1"),
        (lambda: Perceptron([2], 3), "a perceptron separates 2 classes, not 3"),
    ],
)
def test_wrong_values_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_airbench_is_the_published_network() -> None:
    """Its weights, and the first pass: the groups begin as the identity on their inputs, the head is scaled."""
    net = Airbench(IMAGE, 10)
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    assert count(net) == 24 * 13 + convolutions + 2 * (2 * 64 + 4 * 256) + 2560
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == count(net) - 24 * 12 - (2 * 64 + 4 * 256)
    x = F.gelu(net.whitening(torch.rand(2, *IMAGE)))
    torch.testing.assert_close(net.blocks[0][0](x)[:, :24], x)
    torch.testing.assert_close(
        net.eval()(torch.ones(1, *IMAGE)),
        net.head(net.pool(net.blocks(F.gelu(net.whitening(torch.ones(1, *IMAGE)))))) / 9,
    )
    with pytest.raises(ValueError, match="images of 8 pixels are too small, they need 9; give fewer widths"):
        Airbench([3, 8, 8], 10)
