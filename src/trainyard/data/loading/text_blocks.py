"""Texts without labels: blocks of one long stream of tokens, for language models."""

from math import ceil
from typing import Any

import torch
from torch import Tensor

from trainyard.data.base import Samples
from trainyard.data.loading.hashing import content_digest, splitmix64, uniform
from trainyard.data.loading.tokens import MASK, PAD, SPECIAL
from trainyard.data.text import Text

IGNORE = -100  # the target of a token that does not count (torch's ignore_index)


class StreamBlocks:
    """A stream of tokens, indexed by a tensor in blocks of `length` (and `more` tokens that overlap the next)."""

    def __init__(self, stream: Tensor, length: int, more: int) -> None:
        self.stream, self.length, self.more = stream, length, more

    def __len__(self) -> int:
        return max(1, ceil((len(self.stream) - self.more) / self.length))

    def digest(self) -> str:
        """What tells this stream from others."""
        return content_digest(self.stream)

    def __getitem__(self, rows: Tensor) -> Tensor:  # (B) -> (B, length + more) int64
        index = rows[:, None] * self.length + torch.arange(self.length + self.more)
        inside = index < len(self.stream)
        return torch.where(inside, self.stream[index.clamp(max=len(self.stream) - 1)].long(), PAD)


class TextBlocks(Text):
    """Whole texts one after the other, each followed by [SEP], divided into blocks of `max_length` tokens.

    The split into train and val is that of the labeled data, text by text.
    `characters_per_token` of each split converts a loss per token into one per character.
    """

    has_labels = False
    more = 0  # tokens beyond a block

    def __init__(self, **text: Any) -> None:
        for name in ("word_dropout", "token_noise"):
            if text.get(name):
                raise ValueError(f"{name}={text[name]} is for labeled texts; a language model predicts every token")
        if text.get("sampling", "shuffled") != "shuffled":
            raise ValueError(f"sampling={text['sampling']} is for labeled texts; a language model has no classes")
        super().__init__(**text)

    def setup(self, stage: str) -> None:
        old = set(self.splits)
        super().setup(stage)
        self.characters_per_token: dict[str, float] = getattr(self, "characters_per_token", {})
        for split in set(self.splits) - old:
            documents, rows = self.splits[split].inputs, self.splits[split].rows
            stream = documents.stream(rows)
            self.characters_per_token[split] = int(documents.characters[rows.numpy()].sum()) / len(stream)
            blocks = StreamBlocks(stream, self.max_length, self.more)
            self.splits[split] = Samples(blocks, torch.zeros(len(blocks), dtype=torch.long))

    def lengths(self, split: str) -> None:
        """All blocks are equally long."""


class CausalBlocks(TextBlocks):
    """(tokens, targets), both (B, T): each target is the next token."""

    more = 1

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        tokens, _, _ = batch
        targets = tokens[:, 1:]
        return tokens[:, :-1], targets.masked_fill(targets == PAD, IGNORE)


class MaskedBlocks(TextBlocks):
    """(tokens, targets), both (B, T): `mask_share` of the tokens is masked, and only those have a target.

    Of the masked ones 80 % become [MASK], 10 % another token, 10 % stay (Devlin et al., 2018). Which ones is a pure
    function of (seed, epoch, sample) in training, and of the sample alone otherwise.
    """

    def __init__(self, mask_share: float = 0.15, **text: Any) -> None:
        if not 0 < mask_share < 1:
            raise ValueError(f"mask_share={mask_share} must be in (0, 1)")
        super().__init__(**text)
        self.mask_share = mask_share

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, ...]:
        tokens, _, share = batch
        return mask_tokens(tokens, share.keys, self.mask_share, self.vocab_size)


class ReplacedBlocks(MaskedBlocks):
    """(tokens, targets, draws), each (B, T): as `MaskedBlocks`, and a number in [0, 1) for each token.

    The number decides which token a generator puts in its place, so that this, too, is a pure function of (seed, epoch,
    sample) and of the generator's weights.
    """

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, ...]:
        tokens, _, share = batch
        return *super().on_after_batch_transfer(batch, dataloader_idx), uniform(token_keys(tokens, share.keys), "token")


def token_keys(tokens: Tensor, keys: Tensor) -> Tensor:  # (B, T), (B) -> (B, T)
    """One key for each token, from those of the samples."""
    return splitmix64(keys[:, None] + torch.arange(tokens.shape[1], device=tokens.device))


def mask_tokens(
    tokens: Tensor, keys: Tensor, share: float, vocab_size: int
) -> tuple[Tensor, Tensor]:  # (B, T), (B) -> (B, T), (B, T)
    """Mask `share` of the tokens by the 80/10/10 rule, never special tokens."""
    each = token_keys(tokens, keys)
    chosen = (uniform(each, "mask") < share) & (tokens >= len(SPECIAL))
    how = uniform(each, "how")
    other = uniform(each, "other", len(SPECIAL), vocab_size).long()
    masked = torch.where(chosen & (how < 0.8), MASK, tokens)
    masked = torch.where(chosen & (how >= 0.8) & (how < 0.9), other, masked)
    return masked, torch.where(chosen, tokens, IGNORE)
