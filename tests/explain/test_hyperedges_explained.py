"""The picture of a text's hyperedges: its values are the network's attention, and its words those of the hyperedges."""

import pytest
import torch
import torch.nn.functional as F
from explained import TEXT, classifier, network, reviews, subject

from trainyard.explain.attention_figure import attention_figure
from trainyard.explain.explain import Explainer
from trainyard.explain.hyperedges import hyperedge_parts
from trainyard.explain.methods import fitting_methods
from trainyard.explain.samples import Sample
from trainyard.figures.hyperedges import MOST, hyperedges_figure
from trainyard.models.hypergraph import HypergraphNetwork
from trainyard.models.layers.hypergraph_layers import AttentiveSum


def shares(stage: AttentiveSum, x: torch.Tensor) -> torch.Tensor:  # (S, dim) -> (heads, S), not yet divided
    """The exponential of each sender's score."""
    return ((F.leaky_relu(stage.project(x).unflatten(1, (stage.heads, -1)), 0.2) * stage.context).sum(-1)).exp().T


def test_parts_are_the_attention_of_both_stages() -> None:
    """Of five words in two windows of which the second repeats a word: by sums over the sets, without the network."""
    torch.manual_seed(0)
    net = HypergraphNetwork(20, 2, window=3, stride=2, dim=8, heads=2).eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_()
        words = torch.tensor([5, 6, 7, 8])
        member = torch.tensor([[1.0, 1, 1, 0], [0, 0, 1, 1]])  # 5 6 7 | 7 8 7
        x, (layer,) = net.embedding.weight[words], net.layers
        of_words = shares(layer.to_edges, x)[:, None] * member
        of_words = of_words / of_words.sum(-1, keepdim=True)  # (heads, E, V)
        values = layer.to_edges.project(x).unflatten(1, (2, -1))
        edges = torch.einsum("hev,vhd->ehd", of_words, values).flatten(1).relu()
        of_edges = shares(layer.to_nodes, edges)[:, :, None] * member
        of_edges = (of_edges / of_edges.sum(1, keepdim=True)).mean(0)  # (E, V), the columns sum to 1
        expected = of_edges.mean(1, keepdim=True) * of_words.mean(0)
    found = hyperedge_parts(net, torch.tensor([[5, 6, 7, 8, 7]]))
    torch.testing.assert_close(found[:, :4], expected)
    assert found[:, 4].abs().max() == 0 and expected.std() > 0.01  # a word counts once, where it is first


@pytest.mark.parametrize("kind", ["windows", "shuffled", "sentences", "none"])
def test_they_sum_to_one_and_leave_nothing_in_the_network(kind: str) -> None:
    net = HypergraphNetwork(300, 2, kind, 4, 2, [7], dim=16, depth=2).eval()
    found = hyperedge_parts(net, torch.tensor([[9, 8, 7, 6, 5, 8, 20, 21, 22]]))
    assert float(found.sum()) == pytest.approx(1, abs=1e-5) and found.sum(1).min() > 0
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_the_method_fits_networks_with_attention_to_hyperedges_alone() -> None:
    assert fitting_methods(network("hypergraph"), "text")[-1] == "hyperedges"
    assert "hyperedges" not in fitting_methods(HypergraphNetwork(30, 2, propagation="hgnn"), "text")
    assert "hyperedges" not in fitting_methods(network("bert"), "text")


def test_an_explanation_is_a_picture_of_hyperedges(tmp_path) -> None:
    found = Explainer(classifier(network("hypergraph")), reviews(), "hyperedges", check=True, device="cpu")
    explanation = found.explain(Sample(TEXT, TEXT))
    assert explanation.values.shape == (3, 8) and explanation.checks is None
    assert [file.suffix for file in explanation.save(tmp_path)] == [".png"]
    texts = [text.get_text() for axes in explanation.figure().axes for text in axes.texts]
    assert texts[3:8] == [f"{100 * float(explanation.values[0].sum()):.1f} %", *TEXT.split()[:4]]
    assert sum(text.endswith(" %") for text in texts) == 3


def test_of_many_hyperedges_the_strongest_are_drawn_in_the_texts_order() -> None:
    parts = torch.eye(30) * (1 + torch.randperm(30, generator=torch.Generator().manual_seed(0)))[:, None]
    figure = hyperedges_figure([f"word{n}" for n in range(30)], parts / parts.sum(), "a title")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[1].startswith(f"the {MOST} strongest of 30 hyperedges")
    drawn = [int(text[4:]) for text in texts if text.startswith("word")]
    assert drawn == sorted(parts.sum(1).argsort(descending=True)[:MOST].tolist())


def test_tensorboard_shows_those_of_a_validation_text() -> None:
    data = reviews()
    data.setup("fit")
    figure = attention_figure(classifier(network("hypergraph")), data)
    assert figure and "hyperedges of a validation text" in [text.get_text() for text in figure.axes[0].texts]
    assert subject("hypergraph").net.training is False
