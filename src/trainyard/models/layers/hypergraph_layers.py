"""From nodes to hyperedges and back: by attention (Ding et al., 2020), or by degrees alone (Feng et al., 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.layers.hyperedges import Hypergraph
from trainyard.models.layers.ngrams import mixed

SLOPE = 0.2  # of the leaky ReLU of scores (Velickovic et al., 2018)


def segment_sum(values: Tensor, index: Tensor, count: int) -> Tensor:  # (M, ...), (M) -> (count, ...)
    """For each index the sum of its values; 0 for one without."""
    return values.new_zeros(count, *values.shape[1:]).index_add(0, index, values)


def segment_softmax(scores: Tensor, index: Tensor, member: Tensor, count: int) -> Tensor:
    """(M, heads) -> (M, heads): weights that sum to 1 over the members of each index; 0 for all but members."""
    scores = scores.float().masked_fill(~member[:, None], -torch.inf)
    rows, lowest = index[:, None].expand_as(scores), torch.finfo(scores.dtype).min
    largest = scores.new_full((count, scores.shape[1]), lowest).scatter_reduce(0, rows, scores.detach(), "amax")
    weights = (scores - largest[index]).exp()
    return weights / segment_sum(weights, index, count)[index].clamp(min=torch.finfo(scores.dtype).tiny)


class AttentiveSum(nn.Module):
    """What each receiver gets: the projections of its senders, weighted by attention.

    A sender's score is its own, before the softmax over the receiver's senders. (In Ding et al.'s second stage the
    score of a hyperedge for a node has a summand of the node's as well, which is the same for all of the node's
    hyperedges: the softmax cancels it.)
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"heads={heads} must divide dim={dim}")
        self.heads = heads
        self.project = nn.Linear(dim, dim)
        self.context = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, dim // heads)))

    def forward(self, x: Tensor, sender: Tensor, receiver: Tensor, member: Tensor, count: int) -> Tensor:
        """(S, dim), and three of (M) -> (count, dim)."""
        values = self.project(x).unflatten(1, (self.heads, -1))
        weights = self.attention(values, sender, receiver, member, count).to(values.dtype)
        return segment_sum((values[sender] * weights[..., None]).flatten(1), receiver, count)

    def weights(self, x: Tensor, sender: Tensor, receiver: Tensor, member: Tensor, count: int) -> Tensor:
        """(S, dim) -> (M, heads), the attention of `forward`."""
        return self.attention(self.project(x).unflatten(1, (self.heads, -1)), sender, receiver, member, count)

    def attention(self, values: Tensor, sender: Tensor, receiver: Tensor, member: Tensor, count: int) -> Tensor:
        """(S, heads, head_dim) -> (M, heads)"""
        scores = (F.leaky_relu(values, SLOPE) * self.context).sum(-1)
        return segment_softmax(scores[sender], receiver, member, count)


class HyperedgeEmbedding(nn.Embedding):
    """An embedding of each hyperedge: the same for the same set of words, one of `num_embeddings` by a hash of them.

    So a hyperedge of two words can say what neither of them says (as the word pairs of fastText; Joulin et al., 2016).
    """

    def forward(self, tokens: Tensor, graph: Hypergraph) -> Tensor:  # (B, T) -> (B E, dim)
        words = tokens.gather(1, graph.place.view(tokens.shape[0], -1)).flatten()
        words = mixed(words).masked_fill(~graph.member, 0)
        return super().forward(mixed(segment_sum(words, graph.edge, graph.num_edges)) % self.num_embeddings)


class HypergraphAttention(nn.Module):
    """Each hyperedge the weighted sum of its words, a ReLU, each word the weighted sum of its hyperedges.

    `own`, a vector for each hyperedge, is added before the ReLU.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.to_edges, self.to_nodes = AttentiveSum(dim, heads), AttentiveSum(dim, heads)

    def forward(self, x: Tensor, graph: Hypergraph, own: Tensor | float = 0.0) -> Tensor:
        """(B T, dim), and of the hyperedges (B E, dim) -> (B T, dim)"""
        edges = F.relu(self.to_edges(x, graph.node, graph.edge, graph.member, graph.num_edges) + own)
        return self.to_nodes(edges, graph.edge, graph.node, graph.member, x.shape[0])


class HypergraphConvolution(nn.Module):
    """Dv^-1/2 H W De^-1 H^T Dv^-1/2 X Theta of HGNN, where all hyperedges have the weight 1.

    `own`, a vector for each hyperedge, is added to the means De^-1 H^T ... of the hyperedges.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)

    def forward(self, x: Tensor, graph: Hypergraph, own: Tensor | float = 0.0) -> Tensor:
        """(B T, dim), and of the hyperedges (B E, dim) -> (B T, dim)"""
        one = graph.member.to(x.dtype)[:, None]
        node_scale = segment_sum(one, graph.node, x.shape[0]).clamp(min=1).rsqrt()
        edge_scale = segment_sum(one, graph.edge, graph.num_edges).clamp(min=1).reciprocal()
        sent = self.project(x) * node_scale
        edges = segment_sum(sent[graph.node] * one, graph.edge, graph.num_edges) * edge_scale + own
        return segment_sum(edges[graph.edge] * one, graph.node, x.shape[0]) * node_scale
