"""LSTM and GRU as language models: what they see, and what carries over to a classifier."""

import math

import pytest
import torch
import torch.nn.functional as F

from trainyard.models.gru import GRU
from trainyard.models.layers.recurrent import Recurrent
from trainyard.models.lstm import LSTM


@pytest.fixture(params=[LSTM, GRU])
def net(request) -> Recurrent:
    torch.manual_seed(0)
    return request.param(50, None, [12, 8], dim=16).eval()


def test_no_token_sees_a_later_one(net: Recurrent) -> None:
    tokens = torch.randint(1, 50, (2, 9))
    changed = tokens.clone()
    changed[:, 5] = tokens[:, 5] % 49 + 1
    difference = (net(tokens) - net(changed)).abs().amax(-1)
    assert (difference[:, :5] == 0).all() and (difference[:, 5:] > 0).all()


def test_logits_stand_where_their_token_stands(net: Recurrent) -> None:
    """Padding on either side, and decoding the wanted tokens alone: the same logits."""
    tokens, wanted = torch.randint(1, 50, (3, 9)), torch.rand(3, 9) < 0.4
    logits = net(tokens)
    assert logits.shape == (3, 9, 50)
    torch.testing.assert_close(net(F.pad(tokens, (4, 0)))[:, 4:], logits)
    torch.testing.assert_close(net(F.pad(tokens, (4, 0)), target_positions=F.pad(wanted, (4, 0))), logits[wanted])
    assert F.cross_entropy(logits.flatten(0, 1), tokens.flatten()).item() == pytest.approx(math.log(50), rel=0.05)


def test_all_but_the_head_carries_over_to_a_classifier(net: Recurrent) -> None:
    classifier = type(net)(50, 2, [12, 8], dim=16)
    missing, unexpected = classifier.load_state_dict(net.state_dict(), strict=False)
    assert set(missing) == {"head.weight", "head.bias"}
    assert set(unexpected) == {"transform.weight", "transform.bias", "bias"}


def test_every_weight_of_it_learns(net: Recurrent) -> None:
    net(torch.randint(1, 50, (8, 12))).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in net.parameters())


def test_one_that_reads_both_ways_is_refused() -> None:
    with pytest.raises(ValueError, match="would read the tokens that it should predict"):
        LSTM(50, None, [8], bidirectional=True)
