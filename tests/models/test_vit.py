"""ViT: its patches and its sizes; torchvision's, with the same weights."""

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision

from trainyard.models.vit import ViT


def test_it_computes_what_torchvisions_does() -> None:
    """With the same weights, the same logits; so patches, class token, positions and blocks stand in the same order."""
    torch.manual_seed(0)
    theirs = torchvision.models.VisionTransformer(
        image_size=8, patch_size=4, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=10
    ).eval()
    torch.nn.init.normal_(theirs.heads.head.weight)  # theirs starts at zero
    torch.nn.init.normal_(theirs.class_token)
    ours = ViT([3, 8, 8], 10, dim=16, depth=2, heads=2, ff_dim=32).eval()
    state = theirs.state_dict()
    ours.patches.load_state_dict({"weight": state["conv_proj.weight"], "bias": state["conv_proj.bias"]})
    ours.class_token.data, ours.positions.table.data = state["class_token"][0, 0], state["encoder.pos_embedding"][0]
    for mine, other in zip(ours.blocks.blocks, theirs.encoder.layers, strict=True):
        mine.norms[0].load_state_dict(other.ln_1.state_dict())
        mine.norms[1].load_state_dict(other.ln_2.state_dict())
        mine.attention.qkv.weight.data = other.self_attention.in_proj_weight.data
        mine.attention.qkv.bias.data = other.self_attention.in_proj_bias.data
        mine.attention.out.load_state_dict(other.self_attention.out_proj.state_dict())
        mine.feed_forward[0].load_state_dict(other.mlp[0].state_dict())
        mine.feed_forward[2].load_state_dict(other.mlp[3].state_dict())
    ours.blocks.norm.load_state_dict(theirs.encoder.ln.state_dict())
    ours.head.load_state_dict(theirs.heads.head.state_dict())
    x = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("classes", "logits"), [(2, 1), (10, 10)])
def test_images_need_not_be_square(classes: int, logits: int) -> None:
    net = ViT([1, 8, 12], classes, dim=16, depth=1)
    assert net.positions.table.shape == (1 + 2 * 3, 16)
    assert net(torch.randn(5, 1, 8, 12)).shape == (5, logits)


def test_an_untrained_network_is_uncertain_and_every_weight_learns() -> None:
    torch.manual_seed(0)
    net = ViT([3, 32, 32], 10, depth=2)
    loss = F.cross_entropy(net(torch.randn(20, 3, 32, 32)), torch.arange(20) % 10)
    assert loss.item() == pytest.approx(math.log(10), rel=0.1)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_stochastic_depth_reaches_the_blocks() -> None:
    net = ViT([3, 8, 8], 10, dim=16, depth=4, stochastic_depth=0.2)
    assert [round(block.skip.p, 6) for block in net.blocks.blocks] == [0.05, 0.1, 0.15, 0.2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"patch_size": 5}, r"patch_size=5 must divide height and width of shape=\[3, 32, 32\]"),
        ({"patch_size": 0}, r"patch_size=0 must divide height and width of shape=\[3, 32, 32\]"),
        ({"shape": [2]}, r"the ViT takes images .*not samples of shape \[2\]"),
        ({"heads": 3}, "heads=3 must divide dim=128"),
        ({"dropout": 1.0}, r"dropout=1.0 must be in"),
    ],
)
def test_wrong_values_are_refused(words: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ViT(**{"shape": [3, 32, 32], "num_classes": 10, **words})
