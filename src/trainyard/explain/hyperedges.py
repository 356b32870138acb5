"""What a hypergraph network reads of a text: which hyperedges, and of these which words."""

from typing import Any

import torch
from torch import Tensor, nn

from trainyard.models.layers.hypergraph_layers import AttentiveSum, HypergraphAttention


def has_hyperedges(net: nn.Module) -> bool:
    """Whether the network has attention between words and hyperedges."""
    return any(isinstance(module, HypergraphAttention) for module in net.modules())


@torch.no_grad()
def hyperedge_parts(net: nn.Module, tokens: Tensor) -> Tensor:  # (1, T) -> (hyperedges, T), sums to 1
    """The part of each word through each hyperedge of the last layer in what the head reads, were attention all.

    The head reads the mean over the words, and each word a mean over its hyperedges: the sum of a row is the share of
    the hyperedge, which its own attention divides among its words. A word that is in it twice counts at the first
    place. The residual connection, which reaches the head without a hyperedge, is left out; an embedding of the
    hyperedge's own counts as its words'.
    """
    *_, layer = (module for module in net.modules() if isinstance(module, HypergraphAttention))
    graphs, found = [], []

    def record(module: AttentiveSum, args: Any) -> None:
        found.append(module.weights(*args).mean(1))

    handles = [layer.register_forward_pre_hook(lambda _, args: graphs.append(args[1]))]
    handles += [stage.register_forward_pre_hook(record) for stage in (layer.to_edges, layer.to_nodes)]
    try:
        net(tokens)
    finally:
        for handle in handles:
            handle.remove()
    (graph,), (of_words, of_edges) = graphs, found
    edge, place = graph.edge[graph.member], graph.place[graph.member]
    of_words, of_edges = of_words[graph.member], of_edges[graph.member]
    shares = of_words.new_zeros(graph.num_edges).index_add(0, edge, of_edges / graph.is_node.sum())
    parts = of_words.new_zeros(graph.num_edges, tokens.shape[1])
    parts[edge, place] = shares[edge] * of_words
    return parts[edge.unique()]
