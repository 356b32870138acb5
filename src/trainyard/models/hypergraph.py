"""Hypergraph network over texts: HyperGAT (Ding et al., 2020), or the propagation of HGNN (Feng et al., 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.hyperedges import Hyperedges, Hypergraph
from trainyard.models.layers.hypergraph_layers import (
    HyperedgeEmbedding,
    HypergraphAttention,
    HypergraphConvolution,
    segment_sum,
)
from trainyard.models.layers.init import initialize
from trainyard.models.layers.padding import PADDING, left_aligned

PROPAGATIONS = ("attention", "hgnn")
SCALE = 0.05  # of initial embeddings


class HypergraphNetwork(nn.Module):
    """Each text is a hypergraph: its distinct words are nodes, its `windows` or `sentences` hyperedges (`Hyperedges`).

    Embeddings of the words, dropout, `depth` layers that send them to the hyperedges and back, each with a ReLU,
    dropout and a residual connection, the mean over the words, a linear head. With `edge_buckets`, hyperedges have
    embeddings as well (`HyperedgeEmbedding`). A text without a word has the logits of the head's bias.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int | None,
        hyperedges: str = "windows",
        window: int = 8,
        stride: int = 4,
        sentence_ends: Sequence[int] = (),
        propagation: str = "attention",
        dim: int = 64,
        edge_buckets: int = 0,
        depth: int = 1,
        heads: int = 4,
        dropout: float = 0.3,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        if propagation not in PROPAGATIONS:
            raise ValueError(f"propagation={propagation} is unknown; choose one of {', '.join(PROPAGATIONS)}")
        if depth < 1:
            raise ValueError(f"depth={depth} must be at least 1; hyperedges=none leaves the propagation out")
        if edge_buckets < 0:
            raise ValueError(f"edge_buckets={edge_buckets} must be at least 0, where hyperedges have no embeddings")
        self.hyperedges = Hyperedges(hyperedges, window, stride, sentence_ends)
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=PADDING)
        self.edge_embedding = HyperedgeEmbedding(edge_buckets, dim) if edge_buckets else None
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.layers = nn.ModuleList(
            HypergraphAttention(dim, heads) if propagation == "attention" else HypergraphConvolution(dim)
            for _ in range(depth)
        )
        self.head = nn.Linear(dim, num_logits(num_classes, num_outputs))
        initialize(self.layers, "glorot")
        for table in filter(None, (self.embedding, self.edge_embedding)):
            nn.init.uniform_(table.weight, -SCALE, SCALE)
        with torch.no_grad():
            self.embedding.weight[PADDING].zero_()

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, num_logits)
        tokens = left_aligned(tokens)
        graph = self.hyperedges(tokens)
        x = self.dropout(self.words(tokens, graph))
        own = 0.0 if self.edge_embedding is None else self.dropout(self.edge_embedding(tokens, graph))
        for layer in self.layers:
            x = x + self.dropout(layer(x, graph, own).relu())
        x = x.unflatten(0, tokens.shape).masked_fill(~graph.is_node[..., None], 0)
        return self.head(x.sum(1) / graph.is_node.sum(1, keepdim=True).clamp(min=1))

    def words(self, tokens: Tensor, graph: Hypergraph) -> Tensor:  # (B, T) -> (B T, dim)
        """The embedding of each node: the mean over its tokens, which only an explanation makes different."""
        count = segment_sum(torch.ones_like(graph.token), graph.token, graph.token.shape[0]).clamp(min=1)
        return segment_sum(self.embedding(tokens).flatten(0, 1), graph.token, graph.token.shape[0]) / count[:, None]
