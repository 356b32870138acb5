"""What every network over tokens owes: padding changes nothing, every weight learns, an untrained one is uncertain."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.bag_of_words import BagOfWords
from trainyard.models.bert import BERT
from trainyard.models.gpt import GPT
from trainyard.models.gru import GRU
from trainyard.models.hypergraph import HypergraphNetwork
from trainyard.models.layers.padding import alignment, left_aligned, restore
from trainyard.models.lstm import LSTM
from trainyard.models.transformer import Transformer

MAKE = {
    "lstm": lambda n: LSTM(100, n, [8, 4], dim=16),
    "lstm both ways": lambda n: LSTM(100, n, [8, 4], dim=16, bidirectional=True),
    "lstm mean": lambda n: LSTM(100, n, [8], dim=16, pool="mean"),
    "gru": lambda n: GRU(100, n, [8], dim=16),
    "gru both ways max": lambda n: GRU(100, n, [8], dim=16, bidirectional=True, pool="max"),
    "bow": lambda n: BagOfWords(100, n, buckets=1000),
    "hypergraph": lambda n: HypergraphNetwork(100, n, dim=16, depth=2),
    "hypergraph sentences": lambda n: HypergraphNetwork(100, n, "sentences", sentence_ends=[3], dim=16),
    "hypergraph shuffled": lambda n: HypergraphNetwork(100, n, "shuffled", window=3, stride=1, dim=16),
    "hypergraph none hgnn": lambda n: HypergraphNetwork(100, n, "none", propagation="hgnn", dim=16),
    "hypergraph pairs": lambda n: HypergraphNetwork(100, n, window=2, stride=1, dim=16, edge_buckets=50),
    "transformer": lambda n: Transformer(100, 20, n, dim=16, ff_dim=32),
    "transformer waves pre": lambda n: Transformer(100, 20, n, dim=16, ff_dim=32, positions="sinusoidal", norm="pre"),
    "transformer rotary wide": lambda n: Transformer(100, 20, n, dim=16, ff_dim=32, positions="rotary", head_dim=16),
    "transformer normalised": lambda n: Transformer(100, 20, n, dim=16, ff_dim=32, norm="pre", embed_norm=True),
    "bert": lambda n: BERT(100, 20, n, dim=16, ff_dim=32),
    "bert mean rotary": lambda n: BERT(100, 20, n, dim=16, ff_dim=32, pool="mean", positions="rotary"),
    "gpt": lambda n: GPT(100, 20, n, dim=16, ff_dim=32),
}


def padded(tokens: Tensor, size: int, left: int) -> Tensor:
    """One row of tokens in a row of `size`, `left` paddings before it and the rest behind."""
    return F.pad(tokens, (left, size - left - len(tokens)))


@pytest.fixture(params=MAKE)
def make(request):
    torch.manual_seed(0)
    return MAKE[request.param]


def test_padding_changes_nothing_on_either_side(make) -> None:
    """Each row alone without padding, and all together padded right, left, on both sides, give the same logits."""
    net = make(3).eval()
    rows = [torch.randint(1, 100, (length,)) for length in (12, 7, 3, 1)]
    alone = torch.cat([net(row[None]) for row in rows])
    for left in (lambda row: 0, lambda row: 14 - len(row), lambda row: (14 - len(row)) // 2):
        together = net(torch.stack([padded(row, 14, left(row)) for row in rows]))
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
    assert (alone[0] - alone[1]).abs().max() > 1e-5


@pytest.mark.parametrize("make_one", [GPT, BERT, Transformer])
def test_attention_dropout_acts_in_training_and_by_default_does_not(make_one) -> None:
    """At 0.0, the default, all numbers are those from before there was such a dropout."""
    tokens = torch.randint(1, 100, (4, 20))
    default, none, some = (
        _seeded(make_one, **more) for more in ({}, {"attention_dropout": 0.0}, {"attention_dropout": 0.5})
    )
    assert all(block.attention.dropout == 0.5 for block in some.blocks.blocks)
    assert torch.equal(default(tokens), default(tokens)) and torch.equal(default(tokens), none(tokens))
    assert not torch.equal(some(tokens), some(tokens))
    assert torch.equal(some.eval()(tokens), default.eval()(tokens))


def _seeded(make_one, **more) -> nn.Module:
    torch.manual_seed(0)
    return make_one(100, 20, 3, dim=16, ff_dim=32, dropout=0.0, **more)


@pytest.mark.parametrize("embed_norm", [True, False])
def test_a_norm_on_the_embeddings_takes_their_scale_away(embed_norm: bool) -> None:
    net = Transformer(100, 20, 2, dim=16, ff_dim=32, positions="rotary", norm="pre", embed_norm=embed_norm).eval()
    tokens = torch.randint(1, 100, (4, 20))
    before = net(tokens)
    with torch.no_grad():
        net.embedding.weight *= 10
    assert torch.allclose(net(tokens), before, rtol=1e-2, atol=1e-3) == embed_norm


def test_an_empty_text_does_no_harm(make) -> None:
    """Not to itself, nor to the gradients or to the other rows of its batch."""
    net = make(3).eval()
    text = torch.randint(1, 100, (1, 6))
    logits = net(torch.cat([text, torch.zeros_like(text)]))
    torch.testing.assert_close(logits[:1], net(text), rtol=1e-4, atol=1e-6)
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_an_untrained_network_is_uncertain(make) -> None:
    logits = make(10).eval()(torch.randint(0, 100, (32, 20)))
    assert F.cross_entropy(logits, torch.arange(32) % 10).item() == pytest.approx(math.log(10), rel=0.1)


def test_gradients_reach_every_weight_but_none_the_padding(make) -> None:
    net = make(10)
    F.cross_entropy(net(torch.randint(0, 100, (32, 20))), torch.arange(32) % 10).backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0, name
    for module in net.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.padding_idx is not None:
            assert module.weight[0].abs().max() == 0
            assert module.weight.grad[0].abs().max() == 0


@pytest.mark.parametrize(("classes", "logits"), [(2, 1), (3, 3)])
def test_two_classes_take_one_logit_more_take_one_each(make, classes: int, logits: int) -> None:
    net = make(classes)
    assert net(torch.ones(2, 5, dtype=torch.long)).shape == (2, logits)
    assert net.head.out_features == logits


def test_alignment_keeps_the_order_and_can_be_undone() -> None:
    tokens = torch.tensor([[0, 0, 5, 3], [7, 0, 2, 0], [1, 2, 3, 4]])
    assert left_aligned(tokens).tolist() == [[5, 3, 0, 0], [7, 2, 0, 0], [1, 2, 3, 4]]
    back = restore(left_aligned(tokens)[..., None], alignment(tokens))
    assert back[..., 0].tolist() == tokens.tolist()
    wanted = torch.tensor([[1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]]).bool()  # of padding, too
    assert restore(left_aligned(tokens)[..., None], alignment(tokens), wanted)[:, 0].tolist() == tokens[wanted].tolist()
