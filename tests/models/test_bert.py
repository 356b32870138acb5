"""BERT: what it sees, what a language model of it gives, and what carries over to a classifier."""

import math

import pytest
import torch
import torch.nn.functional as F

from trainyard.models.bert import BERT

SIZES = {"vocab_size": 50, "max_length": 12, "dim": 16, "depth": 2, "ff_dim": 32}


@pytest.fixture
def net() -> BERT:
    torch.manual_seed(0)
    return BERT(**SIZES).eval()


def test_a_language_model_gives_logits_for_every_token(net: BERT) -> None:
    tokens = torch.randint(1, 50, (3, 9))
    assert not net.causal
    assert net.hidden(tokens).shape == (3, 9, 16)
    assert net(tokens).shape == (3, 9, 50)
    torch.testing.assert_close(net(tokens), net.decode(net.hidden(tokens)))
    picked = torch.rand(3, 9) < 0.3
    torch.testing.assert_close(net.decode(net.hidden(tokens)[picked]), net(tokens)[picked])


def test_an_untrained_language_model_is_uncertain(net: BERT) -> None:
    tokens = torch.randint(1, 50, (32, 12))
    targets = torch.randint(1, 50, (32, 12))
    assert F.cross_entropy(net(tokens).flatten(0, 1), targets.flatten()).item() == pytest.approx(math.log(50), rel=0.1)


def test_every_token_sees_every_other(net: BERT) -> None:
    tokens = torch.randint(1, 50, (1, 9))
    changed = tokens.clone()
    changed[0, 8] = tokens[0, 8] % 49 + 1
    assert (net(tokens) - net(changed)).abs().amax(-1).min() > 1e-6


def test_hidden_stands_where_its_token_stands(net: BERT) -> None:
    """Padding on the left, on the right or none: the same vector for the same token."""
    tokens = torch.randint(1, 50, (1, 7))
    expected = net.hidden(tokens)
    left, right = net.hidden(F.pad(tokens, (5, 0))), net.hidden(F.pad(tokens, (0, 5)))
    torch.testing.assert_close(left[:, 5:], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(right[:, :7], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("pad", [(0, 0), (3, 0), (0, 3)])
def test_wanted_tokens_are_those_of_the_whole_text(norm: str, depth: int, pad: tuple[int, int]) -> None:
    """Values and gradients: what the last block leaves out changes nothing that was asked for."""
    torch.manual_seed(0)
    net = BERT(**{**SIZES, "depth": depth}, norm=norm, positions="rotary", dropout=0.0)
    tokens, wanted = F.pad(torch.randint(1, 50, (3, 9)), pad), F.pad(torch.rand(3, 9) < 0.3, pad)
    weights = list(net.blocks.parameters())
    chosen, every = net.hidden(tokens, target_positions=wanted), net.hidden(tokens)[wanted]
    assert chosen.shape == (int(wanted.sum()), 16)
    torch.testing.assert_close(chosen, every)
    for one, other in zip(
        torch.autograd.grad(chosen.pow(3).sum(), weights),
        torch.autograd.grad(every.pow(3).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net(tokens, target_positions=wanted), net.decode(chosen))
    assert net(tokens, target_positions=torch.zeros_like(wanted)).shape == (0, 50)


def test_segments_count_and_follow_their_tokens(net: BERT) -> None:
    tokens, segments = torch.randint(1, 50, (1, 7)), torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
    torch.testing.assert_close(net(tokens), net(tokens, torch.zeros_like(segments)))
    assert not torch.allclose(net(tokens), net(tokens, segments), atol=1e-3)
    left = net(F.pad(tokens, (5, 0)), F.pad(segments, (5, 0)))
    torch.testing.assert_close(left[:, 5:], net(tokens, segments), rtol=1e-4, atol=1e-5)


def test_all_but_the_head_carries_over_to_a_classifier(net: BERT) -> None:
    classifier = BERT(**SIZES, num_classes=2)
    missing, unexpected = classifier.load_state_dict(net.state_dict(), strict=False)
    assert {name.split(".")[0] for name in missing} == {"pooler", "head"}
    assert {name.split(".")[0] for name in unexpected} == {"transform", "bias"}


def test_gradients_reach_every_weight_of_a_language_model(net: BERT) -> None:
    net(torch.randint(1, 50, (8, 12))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_the_class_token_leaves_room_for_max_length_tokens(net: BERT) -> None:
    assert net(torch.ones(1, 12, dtype=torch.long)).shape == (1, 12, 50)
    with pytest.raises(ValueError, match="a sequence of 13 tokens exceeds max_length=12"):
        net(torch.ones(1, 13, dtype=torch.long))


def test_an_unknown_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="pool=first is unknown; choose one of cls, mean"):
        BERT(**SIZES, pool="first")
