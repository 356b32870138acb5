"""Self-attention against torch's own, positions, and the block around them."""

import math

import pytest
import torch
from torch import nn

from trainyard.models.layers.attention import KeyValueCache, SelfAttention
from trainyard.models.layers.positions import Positions, rotate, sinusoids
from trainyard.models.layers.transformer_block import TransformerBlock, TransformerStack

LENGTHS = torch.tensor([9, 4, 1])
MASK = torch.arange(9) < LENGTHS[:, None]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["full", "padded"])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
def test_it_is_torchs_multi_head_attention(causal: bool, mask: torch.Tensor | None, fused: bool) -> None:
    """With the same weights, the same output and the same weights of attention."""
    torch.manual_seed(0)
    ours = SelfAttention(16, 4, causal=causal, fused=fused).eval()
    theirs = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(3, 9, 16)
    future = torch.ones(9, 9, dtype=torch.bool).triu(1) if causal else None
    hidden = None if mask is None else ~mask
    output, weights = theirs(x, x, x, key_padding_mask=hidden, attn_mask=future, average_attn_weights=False)
    torch.testing.assert_close(ours(x, mask), output, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.weights(x, mask), weights, rtol=0, atol=1e-6)


def test_heads_may_be_as_wide_as_the_embedding() -> None:
    """The article's: four heads of the whole width, so four times the weights."""
    net = SelfAttention(16, 4, head_dim=16)
    assert sum(p.numel() for p in net.parameters()) == 3 * 64 * 17 + 16 * 65
    assert net(torch.randn(2, 5, 16)).shape == (2, 5, 16)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
def test_dropout_acts_on_the_weights_in_training_alone(fused: bool) -> None:
    torch.manual_seed(0)
    net, x = SelfAttention(16, 4, dropout=0.5, fused=fused), torch.randn(2, 5, 16)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize(("rotary", "qk_norm"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("pieces", [[1] * 9, [4, 1, 4], [9]])
def test_a_cache_changes_nothing(rotary: bool, qk_norm: bool, pieces: list[int]) -> None:
    torch.manual_seed(0)
    net, x, cache = SelfAttention(16, 4, None, 0.0, True, rotary, qk_norm), torch.randn(3, 9, 16), KeyValueCache()
    together = torch.cat([net(piece, cache=cache) for piece in x.split(pieces, dim=1)], dim=1)
    assert len(cache) == 9
    torch.testing.assert_close(together, net(x), rtol=0, atol=1e-6)


def test_with_normalized_queries_and_keys_scores_are_cosines_times_a_gain() -> None:
    """However large queries and keys are: without it, the second net's weights of attention would be 0 and 1."""
    torch.manual_seed(0)
    net, x = SelfAttention(16, 2, causal=True, rotary=True, qk_norm=True), torch.randn(3, 9, 16)
    assert net.gain is not None and net.gain.tolist() == [1, 1]
    net.gain.data = torch.tensor([0.5, 3.0])
    expected, weights = net(x), net.weights(x)
    q, k, _ = net.project(x)
    cosines = nn.functional.cosine_similarity(q[:, :, :, None], k[:, :, None], dim=-1)
    scores = math.sqrt(8) * net.gain[:, None, None] * cosines
    torch.testing.assert_close((q @ k.mT) / math.sqrt(8), scores)
    future = torch.ones(9, 9, dtype=torch.bool).triu(1)
    torch.testing.assert_close(weights, scores.masked_fill(future, -math.inf).softmax(-1))
    with torch.no_grad():
        net.qkv.weight[:32] *= 1000  # of queries and keys; the rest are values
        net.qkv.bias[:32] *= 1000
    torch.testing.assert_close(net(x), expected)
    net(torch.zeros(1, 2, 16)).sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in net.parameters())


def test_rotations_keep_lengths_and_make_products_depend_on_distance() -> None:
    torch.manual_seed(0)
    q, k = (torch.randn(8).expand(1, 1, 10, 8) for _ in range(2))
    torch.testing.assert_close(rotate(q).norm(dim=-1), q.norm(dim=-1))
    torch.testing.assert_close(rotate(q)[..., 3:, :], rotate(q[..., 3:, :], start=3))
    products = (rotate(q) @ rotate(k).mT)[0, 0]
    for distance in range(-9, 10):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-5)
    assert (products[0, 0] - products[0, 1]).abs() > 1e-3


def test_waves_are_the_papers() -> None:
    table = sinusoids(50, 6)
    for position, i in ((0, 0), (7, 1), (49, 2)):
        angle = position / 10_000 ** (2 * i / 6)
        assert table[position, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
        assert table[position, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)
    assert sinusoids(50, 5).shape == (50, 5)
    net, x = Positions("sinusoidal", 50, 4), torch.randn(2, 3, 4)
    torch.testing.assert_close(net(x, start=2), 2 * x + sinusoids(50, 4)[2:5])
    assert not net.state_dict()  # nothing that a checkpoint would have to keep


def test_learned_positions_are_added_from_where_a_row_starts() -> None:
    net, x = Positions("learned", 10, 4), torch.randn(2, 3, 4)
    torch.testing.assert_close(net(x, start=5), x + net.table[5:8])
    assert torch.equal(Positions("none", 10, 4)(x), x)


def test_the_post_norm_block_is_torchs_encoder_layer() -> None:
    torch.manual_seed(0)
    for norm in ("post", "pre"):
        ours = TransformerBlock(16, 4, 32, norm=norm, activation="gelu").eval()
        theirs = nn.TransformerEncoderLayer(
            16, 4, 32, layer_norm_eps=1e-6, batch_first=True, norm_first=norm == "pre", activation="gelu"
        ).eval()
        # Both list attention (in, out), feed-forward (in, out), then the two norms.
        theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
        x = torch.randn(3, 9, 16)
        seen = theirs(x, src_key_padding_mask=~MASK)
        torch.testing.assert_close(ours(x, MASK)[MASK], seen[MASK], rtol=1e-4, atol=1e-5)


def test_stochastic_depth_rises_linearly_and_leaves_whole_rows_out() -> None:
    torch.manual_seed(0)
    net = TransformerStack(4, 16, "pre", stochastic_depth=0.8, heads=4, ff_dim=32)
    assert [round(block.skip.p, 6) for block in net.blocks] == [0.2, 0.4, 0.6, 0.8]
    x = torch.randn(2000, 3, 16)
    same = (net.blocks[-1](x) == x).flatten(1).all(1).float().mean().item()
    assert same == pytest.approx(0.8**2, abs=0.05)  # neither of the block's two steps was taken
    assert not torch.equal(net.eval().blocks[-1](x)[0], x[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SelfAttention(128, 3), "heads=3 must divide dim=128"),
        (lambda: SelfAttention(128, 0), "heads=0 must divide dim=128"),
        (lambda: SelfAttention(12, 4, rotary=True), "rotates pairs, so head_dim=3 must be even"),
        (lambda: SelfAttention(12, 4, dropout=1.0), r"attention_dropout=1.0 must be in \[0, 1\)"),
        (lambda: Positions("rotational", 10, 4), "positions=rotational is unknown; choose one of learned, sinusoidal"),
        (
            lambda: Positions("none", 10, 4)(torch.zeros(1, 8, 4), start=3),
            "a sequence of 11 tokens exceeds max_length=10",
        ),
        (lambda: TransformerBlock(8, 2, 8, norm="middle"), "norm=middle is unknown; choose one of post, pre"),
        (lambda: TransformerBlock(8, 2, 8, dropout=-0.1), r"dropout=-0.1 must be in \[0, 1\)"),
        (lambda: TransformerBlock(8, 2, 8, attention_dropout=1), r"attention_dropout=1 must be in \[0, 1\)"),
        (lambda: TransformerStack(0, 8, heads=2, ff_dim=8), "depth=0 must be at least 1"),
        (lambda: TransformerStack(2, 8, heads=2, ff_dim=8, stochastic_depth=1.0), "stochastic_depth=.* must be in"),
    ],
)
def test_wrong_values_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
