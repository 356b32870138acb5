"""LSTM and GRU: they read tokens, never padding, and they read them as torch's own layers do."""

import math

import pytest
import torch
from torch import nn

from trainyard.models.gru import GRU
from trainyard.models.lstm import LSTM

KINDS = [LSTM, GRU]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pool", ["last", "mean", "max"])
def test_both_ways_are_torchs_packed_bidirectional_layer(kind, pool: str) -> None:
    """With the same weights, the same outputs and the same final states as nn.LSTM or nn.GRU on packed sequences."""
    torch.manual_seed(0)
    net = kind(50, 3, [7, 5], dim=6, bidirectional=True, pool=pool)
    tokens = torch.randint(1, 50, (4, 9))
    lengths = torch.tensor([9, 4, 1, 6])
    tokens[torch.arange(9) >= lengths[:, None]] = 0
    x = nn.utils.rnn.pack_padded_sequence(net.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
    states = torch.empty(0)
    for layer in net.layers:
        theirs = kind.cell(layer.there.input_size, layer.there.hidden_size, bidirectional=True, batch_first=True)
        ours = dict(layer.there.named_parameters())
        ours |= {f"{name}_reverse": p for name, p in layer.back.named_parameters()}
        theirs.load_state_dict(ours)
        x, states = theirs(x)
    states = states[0] if kind is LSTM else states
    outputs, _ = nn.utils.rnn.pad_packed_sequence(x, batch_first=True)
    rows = [output[:length] for output, length in zip(outputs, lengths, strict=True)]
    expected = {
        "last": torch.cat([*states], dim=-1),
        "mean": torch.stack([row.mean(0) for row in rows]),
        "max": torch.stack([row.amax(0) for row in rows]),
    }[pool]
    torch.testing.assert_close(net(tokens), net.head(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_sizes(kind) -> None:
    """One layer for each entry, twice as wide in both directions; two biases a gate, as torch has them."""
    gates = 4 if kind is LSTM else 3
    net = kind(1000, 2, [64, 32], dim=128, bidirectional=True)
    layers = 2 * gates * (64 * (128 + 64 + 2) + 32 * (128 + 32 + 2))
    assert sum(p.numel() for p in net.parameters()) == 1000 * 128 + layers + 2 * 32 + 1
    assert net(torch.ones(3, 5, dtype=torch.long)).shape == (3, 1)


def test_forget_gates_start_open() -> None:
    layer = LSTM(10, 2, [4]).layers[0].there
    assert layer.bias_ih_l0.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    assert layer.bias_hh_l0.abs().max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_on_embeddings_between_layers_and_before_the_head(kind) -> None:
    torch.manual_seed(0)
    net, seen = kind(50, 2, [8, 8], dropout=0.5), []
    net.dropout.register_forward_hook(lambda module, inputs, output: seen.append((output == 0).float().mean().item()))
    net(torch.randint(1, 50, (64, 10)))
    assert len(seen) == 3
    assert all(math.isclose(share, 0.5, abs_tol=0.1) for share in seen)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"layers": []}, r"layers=\[\]: a recurrent network needs at least 1 layer"),
        ({"layers": [8, 0]}, r"layers=\[8, 0\]: a recurrent network needs at least 1 layer of at least 1 unit"),
        ({"pool": "first"}, "pool=first is unknown; choose one of last, mean, max"),
        ({"dropout": 1.0}, r"dropout=1.0 must be in \[0, 1\)"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_wrong_values_are_refused(kind, words: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**{"vocab_size": 10, "num_classes": 2, "layers": [4], **words})
