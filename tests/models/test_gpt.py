"""GPT: it never looks ahead, and its cache changes nothing."""

import math

import pytest
import torch
import torch.nn.functional as F

from trainyard.models.gpt import GPT

SIZES = {"vocab_size": 50, "max_length": 12, "dim": 16, "depth": 2, "ff_dim": 32}


MODERN = {
    "positions": "rotary", "activation": "squared_relu", "qk_norm": True, "embed_norm": True, "fused_attention": False,
}  # fmt: skip


@pytest.fixture(params=["learned", "sinusoidal", "rotary", "modern"])
def net(request) -> GPT:
    torch.manual_seed(0)
    return GPT(**SIZES, **MODERN if request.param == "modern" else {"positions": request.param}).eval()


def test_no_token_changes_what_came_before(net: GPT) -> None:
    tokens = torch.randint(1, 50, (1, 9))
    changed = tokens.clone()
    changed[0, 5] = tokens[0, 5] % 49 + 1
    difference = (net(tokens) - net(changed)).abs().amax(-1)[0]
    assert net.causal
    assert difference[:5].max() == 0
    assert difference[5:].min() > 1e-6


def test_logits_are_those_of_the_hidden_vectors(net: GPT) -> None:
    tokens = torch.randint(1, 50, (3, 9))
    assert net.hidden(tokens).shape == (3, 9, 16)
    assert net(tokens).shape == (3, 9, 50)
    torch.testing.assert_close(net(tokens), net.hidden(tokens) @ net.embedding.weight.T)
    wanted = torch.rand(3, 9) < 0.3
    torch.testing.assert_close(net(tokens, target_positions=wanted), net(tokens)[wanted])


def test_hidden_stands_where_its_token_stands(net: GPT) -> None:
    """Padding on the left, on the right or none: the same vector for the same token."""
    tokens = torch.randint(1, 50, (1, 7))
    expected = net.hidden(tokens)
    left, right = net.hidden(F.pad(tokens, (5, 0))), net.hidden(F.pad(tokens, (0, 5)))
    torch.testing.assert_close(left[:, 5:], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(right[:, :7], expected, rtol=1e-4, atol=1e-5)


def test_an_untrained_language_model_is_uncertain(net: GPT) -> None:
    tokens = torch.randint(1, 50, (32, 12))
    loss = F.cross_entropy(net(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(50), rel=0.1)


def test_gradients_reach_every_weight_of_a_language_model(net: GPT) -> None:
    net(torch.randint(1, 50, (8, 12))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


@pytest.mark.parametrize("pieces", [[1] * 9, [5, 1, 3]])
def test_cached_logits_are_the_uncached(net: GPT, pieces: list[int]) -> None:
    tokens, caches = torch.randint(1, 50, (2, 9)), net.caches()
    hidden = torch.cat([net.encode(piece, caches) for piece in tokens.split(pieces, dim=1)], dim=1)
    torch.testing.assert_close(net.decode(hidden), net(tokens), rtol=0, atol=1e-5)


def test_weights_that_end_a_step_start_smaller() -> None:
    torch.manual_seed(0)
    net = GPT(50, 12, dim=64, depth=8, ff_dim=256)
    block = net.blocks.blocks[3]
    for inner, end in ((block.attention.qkv, block.attention.out), (block.feed_forward[0], block.feed_forward[2])):
        assert inner.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert end.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)


def test_with_zero_init_each_block_starts_as_the_identity_and_learns() -> None:
    torch.manual_seed(0)
    net, tokens = GPT(**SIZES, **MODERN, zero_init=True), torch.randint(1, 50, (8, 12))
    x = torch.randn(2, 5, 16)
    assert all(torch.equal(block(x), x) for block in net.blocks.blocks)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        F.cross_entropy(net(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
        for block in net.blocks.blocks:  # at first only the zeros have a gradient, then all do
            assert (block.attention.qkv.weight.grad.abs().max() > 0) == (step > 0)
            assert block.attention.out.weight.grad.abs().max() > 0
            assert block.feed_forward[2].weight.grad.abs().max() > 0
        optimizer.step()
    assert not torch.equal(net.blocks.blocks[0](x), x)


def test_a_block_longer_than_the_context_is_refused(net: GPT) -> None:
    with pytest.raises(ValueError, match="a sequence of 13 tokens exceeds max_length=12"):
        net(torch.ones(1, 13, dtype=torch.long))
