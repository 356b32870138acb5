"""Word dropout and random tokens: augmentation of texts."""

import torch
from torch import Tensor

from trainyard.data.loading.hashing import splitmix64, uniform
from trainyard.data.loading.tokens import PAD, SPECIAL, UNK


class TokenNoise:
    """Replace a share of the tokens: `dropout` by [UNK] (Bowman et al., 2016), `noise` by others (Xie et al., 2017).

    The others are drawn from the whole vocabulary. Which tokens it is depends on the text's key and their place in it,
    so that neither batch nor padding matters. Padding and special tokens stay.
    """

    def __init__(self, dropout: float, noise: float, vocab_size: int) -> None:
        for name, share in (("word_dropout", dropout), ("token_noise", noise)):
            if not 0 <= share < 1:
                raise ValueError(f"{name}={share} must be in [0, 1)")
        if dropout + noise >= 1:
            raise ValueError(f"word_dropout={dropout} and token_noise={noise} must be less than 1 together")
        self.dropout, self.noise, self.vocab_size = dropout, noise, vocab_size

    def __call__(self, tokens: Tensor, keys: Tensor) -> Tensor:  # (B, T), (B) -> (B, T)
        if not self.dropout and not self.noise:
            return tokens
        place = (tokens != PAD).cumsum(dim=1)  # from 1, wherever the padding is
        token_keys = splitmix64(keys[:, None] + place)
        drawn, other = uniform(token_keys, "token noise"), uniform(token_keys, "other", len(SPECIAL), self.vocab_size)
        is_word = tokens >= len(SPECIAL)
        found = torch.where(is_word & (drawn < self.dropout), UNK, tokens)
        return torch.where(is_word & (drawn >= self.dropout) & (drawn < self.dropout + self.noise), other.long(), found)
