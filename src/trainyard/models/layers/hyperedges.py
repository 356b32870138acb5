"""The hypergraph of a text (Ding et al., 2020): its distinct words are the nodes, windows or sentences hyperedges."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from trainyard.models.layers.ngrams import MULTIPLIER, is_new, mixed
from trainyard.models.layers.padding import PADDING

KINDS = ("windows", "sentences", "shuffled", "none")


class Hypergraph(NamedTuple):
    """The hypergraphs of B texts of T tokens, as a list of memberships: which node is in which hyperedge, each once.

    Each text has T places for nodes and E for hyperedges, numbered through the batch; those beyond its own have no
    membership. Their number does not depend on the texts, so that the network can be compiled and exported.
    """

    node: Tensor  # (B M), the node of each membership, in 0 .. B T - 1
    edge: Tensor  # (B M), its hyperedge, in 0 .. B E - 1
    member: Tensor  # (B M) bool; False where there is no membership
    place: Tensor  # (B M), the first token of the node in the hyperedge, in 0 .. T - 1
    token: Tensor  # (B T), the node of each token
    is_node: Tensor  # (B, T) bool
    num_edges: int  # B E


class Hyperedges:
    """Makes the hypergraphs of texts.

    `windows` are runs of `window` tokens that begin every `stride`, `sentences` end with one of the tokens
    `sentence_ends`. `shuffled` are windows of the same text in another order, which only depends on its tokens. With
    `none` each word has a hyperedge of its own, so that no word learns of another.
    """

    def __init__(self, kind: str, window: int, stride: int, sentence_ends: Sequence[int] = ()) -> None:
        if kind not in KINDS:
            raise ValueError(f"hyperedges={kind} is unknown; choose one of {', '.join(KINDS)}")
        if not 1 <= stride <= window:
            raise ValueError(f"stride={stride} must be 1 to window={window}, so that each word is in a hyperedge")
        if kind == "sentences" and not sentence_ends:
            raise ValueError(
                "hyperedges=sentences needs sentence_ends, the token ids of the marks that end one "
                "([6,38,57] are . ! ? with data=imdb and its vocabulary of 10,000)"
            )
        self.kind, self.window, self.stride, self.sentence_ends = kind, window, stride, list(sentence_ends)

    def __call__(self, tokens: Tensor) -> Hypergraph:  # (B, T), left-aligned
        nodes, is_node = nodes_of(tokens)
        place, edge, inside, edges = self.places(tokens, nodes)
        (texts, length), text = tokens.shape, torch.arange(tokens.shape[0], device=tokens.device)[:, None]
        node = nodes.gather(1, place)
        key, order = (edge * length + node).masked_fill(~inside, edges * length).sort(dim=1, stable=True)
        member = is_new(key) & (key < edges * length)
        node, edge, place = (part.gather(1, order).masked_fill(~member, 0) for part in (node, edge, place))
        return Hypergraph(
            (text * length + node).flatten(), (text * edges + edge).flatten(), member.flatten(), place.flatten(),
            (text * length + nodes).flatten(), is_node, texts * edges,
        )  # fmt: skip

    def places(self, tokens: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        """Which tokens are in which hyperedge: places (B, M), hyperedges (B, M), whether it is so (B, M), and E."""
        length, is_token = tokens.shape[1], tokens != PADDING
        every = torch.arange(length, device=tokens.device).expand_as(tokens)
        if self.kind == "none":
            return every, nodes, is_token, length
        if self.kind == "sentences":
            is_end = (tokens[..., None] == torch.tensor(self.sentence_ends, device=tokens.device)).any(2).long()
            return every, is_end.cumsum(1) - is_end, is_token, length
        edges = length // self.stride + 2  # one too many at least: torch.export asks for axes above 1
        start = self.stride * torch.arange(edges, device=tokens.device)[:, None]
        place = (start + torch.arange(self.window, device=tokens.device)).flatten()
        start, count = start.expand(-1, self.window).flatten(), is_token.sum(1, keepdim=True)
        more = (start == 0) | (start + self.window - self.stride < count)  # than the window before it contains
        inside, place = (place < count) & more, place.clamp(max=length - 1).expand(tokens.shape[0], -1)
        if self.kind == "shuffled":
            place = shuffled(tokens).gather(1, place)
        return place, (start // self.stride).expand_as(place), inside, edges


def nodes_of(tokens: Tensor) -> tuple[Tensor, Tensor]:  # (B, T) -> (B, T), (B, T)
    """The node of each token, numbered in each text from 0 by the words' ids, and whether there is a node so numbered.

    Padding has the node after the last one.
    """
    last = torch.iinfo(tokens.dtype).max
    words, order = tokens.masked_fill(tokens == PADDING, last).sort(dim=1, stable=True)
    number, none = is_new(words).cumsum(1) - 1, torch.zeros_like(tokens)
    return none.scatter(1, order, number), none.scatter(1, number, (words != last).long()).bool()


def shuffled(tokens: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """Each text's places in an order that is a hash of its tokens, the padding's last."""
    place = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    keys = mixed(mixed((tokens * place).sum(1, keepdim=True) ^ place * MULTIPLIER))
    return keys.masked_fill(tokens == PADDING, torch.iinfo(keys.dtype).max).argsort(dim=1, stable=True)
