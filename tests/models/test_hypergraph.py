"""The hypergraph network: its hyperedges are those of the text, and its layers the matrix formulas of the papers."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainyard.models.hypergraph import HypergraphNetwork
from trainyard.models.layers.hyperedges import Hyperedges
from trainyard.models.layers.ngrams import mixed

END = 9
TEXTS = [[5, 6, 7, 5, END, 8, 6, 4, 11], [3, 3, END, 12, 3], [7]]
WINDOWS = [
    [{5, 6, 7}, {7, 5, END, 8}, {END, 8, 6, 4}, {6, 4, 11}],
    [{3, END, 12}, {END, 12, 3}],
    [{7}],
]  # 4 words, every 2
SENTENCES = [[{5, 6, 7, END}, {8, 6, 4, 11}], [{3, END}, {12, 3}], [{7}]]
ALONE = [[{word} for word in sorted(set(text))] for text in TEXTS]


def batch(texts: list[list[int]], length: int = 12) -> Tensor:
    """The texts as tokens, padded on the right."""
    return torch.stack([F.pad(torch.tensor(text), (0, length - len(text))) for text in texts])


def found(kind: str, tokens: Tensor) -> list[list[set[int]]]:
    """The hyperedges of each text as sets of words, in order."""
    graph = Hyperedges(kind, 4, 2, [END])(tokens)
    words, length = {}, tokens.shape[1]
    for node, token in zip(graph.token.tolist(), tokens.flatten().tolist(), strict=True):
        words[node] = token
    edges: dict[int, list[int]] = {}
    for node, edge, member in zip(graph.node.tolist(), graph.edge.tolist(), graph.member.tolist(), strict=True):
        if member:
            assert node // length == edge // (graph.num_edges // len(tokens)), "a hyperedge of another text"
            edges.setdefault(edge, []).append(words[node])
    assert all(len(set(edge)) == len(edge) for edge in edges.values()), "a word twice in a hyperedge"
    assert graph.is_node.sum(1).tolist() == [len(set(row.tolist()) - {0}) for row in tokens]
    each = [edge // (graph.num_edges // len(tokens)) for edge in sorted(edges)]
    return [[set(edges[edge]) for edge, own in zip(sorted(edges), each, strict=True) if own == text]
            for text in range(len(tokens))]  # fmt: skip


@pytest.mark.parametrize(("kind", "expected"), [("windows", WINDOWS), ("sentences", SENTENCES), ("none", ALONE)])
def test_hyperedges_are_those_of_the_text(kind: str, expected: list) -> None:
    assert found(kind, batch(TEXTS)) == expected
    assert found(kind, batch(TEXTS, 30)) == expected  # longer padding adds none


def test_shuffled_windows_are_as_many_of_the_same_words_elsewhere() -> None:
    text = torch.randperm(60, generator=torch.Generator().manual_seed(0))[None] + 1  # 60 different words
    (windows,), (shuffled,) = found("windows", text), found("shuffled", text)
    assert [len(edge) for edge in shuffled] == [len(edge) for edge in windows]
    assert set.union(*shuffled) == set.union(*windows)
    assert sum(edge in windows for edge in shuffled) <= 1
    assert found("shuffled", F.pad(text, (0, 7))) == [shuffled]  # the order depends on the words alone
    assert found("shuffled", text.flip(1))[0] != shuffled[::-1]


def incidence(edges: list[set[int]]) -> tuple[Tensor, Tensor]:  # -> (V), (V, E)
    """The words and the incidence matrix H."""
    words = sorted(set.union(*edges))
    return torch.tensor(words), torch.tensor([[float(word in edge) for edge in edges] for word in words])


def attentive(context: Tensor, members: Tensor, values: Tensor) -> Tensor:  # (h, d), (R, S), (S, h d) -> (R, h d)
    """For each receiver the values of its senders, weighted by the softmax of their scores, head by head."""
    parts = values.unflatten(1, context.shape)
    scores = torch.einsum("shd,hd->hs", F.leaky_relu(parts, 0.2), context)
    weights = scores[:, None].masked_fill(members == 0, -torch.inf).softmax(-1)  # (h, R, S)
    return torch.einsum("hrs,shd->rhd", weights, parts).flatten(1)


def own(net: HypergraphNetwork, edges: list[set[int]]) -> Tensor:  # -> (E, dim)
    """The embeddings of the hyperedges."""
    if net.edge_embedding is None:
        return torch.zeros(len(edges), 1)
    hashes = torch.stack([mixed(mixed(torch.tensor(sorted(edge))).sum()) for edge in edges])
    return net.edge_embedding.weight[hashes % len(net.edge_embedding.weight)]


def dense(net: HypergraphNetwork, edges: list[set[int]]) -> Tensor:  # -> (num_logits)
    """The logits of one text by matrices."""
    words, h = incidence(edges)
    x, e = net.embedding.weight[words], own(net, edges)
    for layer in net.layers:
        if hasattr(layer, "project"):
            node, edge = h.sum(1).pow(-0.5).diag(), h.sum(0).pow(-1).diag()
            y = node @ h @ (edge @ h.T @ node @ layer.project(x) + e)
        else:
            first, second = layer.to_edges, layer.to_nodes
            sent = (attentive(first.context, h.T, first.project(x)) + e).relu()
            y = attentive(second.context, h, second.project(sent))
        x = x + y.relu()
    return net.head(x.mean(0))


@pytest.mark.parametrize("propagation", ["attention", "hgnn"])
@pytest.mark.parametrize(("kind", "edges"), [("windows", WINDOWS), ("sentences", SENTENCES), ("none", ALONE)])
@pytest.mark.parametrize("buckets", [0, 5])
def test_it_computes_what_the_incidence_matrix_says(propagation: str, kind: str, edges: list, buckets: int) -> None:
    torch.manual_seed(0)
    net = HypergraphNetwork(20, 3, kind, 4, 2, [END], propagation, 8, buckets, depth=2, heads=2).eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_()
        net.embedding.weight[0] = 0
        expected = torch.stack([dense(net, each) for each in edges])
        torch.testing.assert_close(net(batch(TEXTS)), expected, rtol=1e-4, atol=1e-4)
    assert expected.std(0).min() > 0.01


def test_without_hyperedges_no_word_learns_of_another() -> None:
    """So that the network is a bag of its words; windows make their order count, shuffled ones as little as chance."""
    torch.manual_seed(0)
    tokens = torch.randperm(40)[None] + 1
    for kind, same in (("none", True), ("windows", False)):
        net = HypergraphNetwork(50, 2, kind, 4, 2, heads=2, dim=8).eval()
        assert torch.allclose(net(tokens), net(tokens.sort().values), atol=1e-6) == same


def test_scores_of_any_size_are_finite() -> None:
    net = HypergraphNetwork(20, 2, window=4, stride=2, dim=8, heads=2)
    with torch.no_grad():
        for layer in net.layers:
            layer.to_edges.context.fill_(1e6)
    loss = net(batch(TEXTS)).square().sum()
    loss.backward()
    assert loss.isfinite() and all(
        weight.grad is not None and weight.grad.isfinite().all() for weight in net.parameters()
    )


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"hyperedges": "words"}, "hyperedges=words is unknown; choose one of windows, sentences, shuffled, none"),
        ({"window": 4, "stride": 5}, "stride=5 must be 1 to window=4, so that each word is in a hyperedge"),
        ({"hyperedges": "sentences"}, "hyperedges=sentences needs sentence_ends, the token ids"),
        ({"propagation": "mean"}, "propagation=mean is unknown; choose one of attention, hgnn"),
        ({"edge_buckets": -1}, "edge_buckets=-1 must be at least 0, where hyperedges have no embeddings"),
        ({"depth": 0}, "depth=0 must be at least 1; hyperedges=none leaves the propagation out"),
        ({"dim": 10}, "heads=4 must divide dim=10"),
    ],
)
def test_wrong_values_are_refused(options: dict, answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        HypergraphNetwork(20, 2, **options)


def near_or_far(texts: int, seed: int) -> tuple[Tensor, Tensor]:  # -> (texts, 20), (texts)
    """Texts with the words 1 and 2, which are near one another in those of class 1, and the same otherwise."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(3, 20, (texts, 20), generator=generator)
    labels, first = torch.arange(texts) % 2, torch.randint(0, 10, (texts,), generator=generator)
    tokens[torch.arange(texts), first] = 1
    tokens[torch.arange(texts), first + torch.where(labels == 1, 1, 9)] = 2
    return tokens, labels


@pytest.mark.parametrize(("kind", "low", "high"), [("windows", 0.95, 1), ("shuffled", 0.3, 0.7), ("none", 0.3, 0.7)])
def test_windows_alone_tell_which_words_are_near(kind: str, low: float, high: float) -> None:
    torch.manual_seed(0)
    net = HypergraphNetwork(20, 2, kind, 4, 2, dim=16, dropout=0.0)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for step in range(60):
        tokens, labels = near_or_far(64, step)
        loss = F.binary_cross_entropy_with_logits(net(tokens).squeeze(1), labels.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tokens, labels = near_or_far(400, 1000)
    assert low <= ((net(tokens).squeeze(1) > 0) == labels).float().mean() <= high
