"""Texts as words: attributions to embeddings, added up over the tokens of each word."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.data.loading.tokens import MASK, SEP, SPECIAL, UNK
from trainyard.data.text import Text
from trainyard.models.bag_of_words import BagOfWords


@dataclass(frozen=True)
class Words:
    """The words of one text, as far as the network reads it."""

    tokens: Tensor  # (T)
    words: list[str]  # as the user wrote them
    of_token: Tensor  # (T), the word that each token belongs to
    unknown: int  # how many tokens the vocabulary lacks
    omitted: int  # how many tokens were truncated

    def merge(self, values: Tensor) -> Tensor:  # (..., T) -> (..., words)
        """The sum of the tokens' values for each word."""
        merged = values.new_zeros(*values.shape[:-1], len(self.words))
        return merged.index_add(-1, self.of_token.to(values.device), values)

    @property
    def note(self) -> str:
        """How much of the text the network cannot read; empty if it reads all."""
        count = len(self.tokens)
        parts = [f"{self.unknown} of {count} words are unknown"] * bool(self.unknown)
        parts += [f"the network reads {count} of {count + self.omitted} tokens"] * bool(self.omitted)
        return ", ".join(parts)

    @property
    def masked(self) -> int | None:
        """The first token that is hidden by [MASK]."""
        found = (self.tokens == MASK).nonzero().flatten().tolist()
        return found[0] if found else None


def read_words(data: Text, text: str, starts: bool = False) -> Words:
    """Tokenize a text as for training, with its words; ValueError if it has none. `starts` puts [SEP] before it."""
    encoded = data.saved_tokenizer().encode(text, add_special_tokens=False)
    if not encoded.ids:
        raise ValueError(f"the text {text[:40]!r} contains no word")
    most = data.max_length - starts
    cut = slice(-most, None) if data.truncation_side == "left" else slice(most)
    ids, spans, numbers = encoded.ids[cut], encoded.offsets[cut], encoded.word_ids[cut]
    if set(ids) == {UNK}:
        raise ValueError(f"all {len(ids)} words of the text {text[:40]!r} are unknown to the tokenizer")
    words, of_token, previous = [], [], object()
    for (start, end), number in zip(spans, numbers, strict=True):
        if number is None or number != previous:
            words.append((start, end))
        words[-1] = (words[-1][0], max(end, words[-1][1]))
        of_token.append(len(words) - 1)
        previous = number
    shown = [text[start:end].strip() or " " for start, end in words]
    first = [SEP] if starts else []
    return Words(
        torch.tensor(first + ids), [SPECIAL[SEP]] * starts + shown,
        torch.tensor([0] * starts + [starts + word for word in of_token]),
        ids.count(UNK), len(encoded.ids) - len(ids),
    )  # fmt: skip


def embedded(net: nn.Module, tokens: Tensor) -> Tensor:  # (1, T) -> (1, items, dim)
    """The embedding of each token; of a bag of words those of its n-grams too, in the order of its `bag`."""
    items = net.bag(tokens) if isinstance(net, BagOfWords) else tokens
    return F.embedding(items, net.embedding.weight).detach()  # pyright: ignore


def scores_of_embeddings(net: nn.Module, scores: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """The class scores as a function of the embeddings (B, items, dim) of a text (B, T) and of the text itself."""

    def call(embeddings: Tensor, tokens: Tensor) -> Tensor:
        def replace(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            return embeddings.mean(1) if isinstance(net, BagOfWords) else embeddings

        handle = net.embedding.register_forward_hook(replace)  # pyright: ignore
        try:
            return scores(tokens.expand(len(embeddings), -1))
        finally:
            handle.remove()

    return call


def to_tokens(net: nn.Module, values: Tensor, length: int) -> Tensor:  # (items) -> (length)
    """The values of the tokens, where those of an n-gram are divided among its words."""
    if not isinstance(net, BagOfWords):
        return values
    found, start = torch.zeros(length, dtype=values.dtype, device=values.device), 0
    for size in range(1, min(net.ngrams, length) + 1):
        part = values[start : start + length - size + 1] / size
        for shift in range(size):
            found[shift : shift + len(part)] += part
        start += len(part)
    return found
