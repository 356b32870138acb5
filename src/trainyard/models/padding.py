"""Padding of token batches: rows are read left-aligned, so that the side of the padding does not matter."""

import torch
from torch import Tensor

PADDING = 0  # the id that stands for no token


def alignment(tokens: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """The order of positions that puts each row's tokens first and its padding after them."""
    return (tokens == PADDING).int().argsort(dim=1, stable=True)


def left_aligned(tokens: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """The same tokens in the same order, all padding behind them."""
    return tokens.gather(1, alignment(tokens))


def restored(hidden: Tensor, order: Tensor) -> Tensor:  # (B, T, dim), (B, T) -> (B, T, dim)
    """Undo an `alignment`: what was computed for a token, where that token stood."""
    rows = torch.arange(len(order), device=order.device)
    return hidden[rows[:, None], order.argsort(dim=1)]


def lengths(tokens: Tensor) -> Tensor:  # (B, T) -> (B,)
    """Tokens in each row, at least 1: an empty row is read as one padding token, which spares means over nothing."""
    return (tokens != PADDING).sum(1).clamp(min=1)


def visible(tokens: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """True on the first `lengths` positions of each row: what counts once the rows are left-aligned."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths(tokens)[:, None]


def last(hidden: Tensor, tokens: Tensor) -> Tensor:  # (B, T, dim), (B, T) -> (B, dim)
    """What stands at the last token of each left-aligned row."""
    return hidden[torch.arange(len(tokens), device=tokens.device), lengths(tokens) - 1]


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:  # (B, T, dim), (B, T) -> (B, dim)
    """Mean over the positions where `mask` is True."""
    return hidden.masked_fill(~mask[..., None], 0).sum(1) / mask.sum(1, keepdim=True)


def masked_max(hidden: Tensor, mask: Tensor) -> Tensor:  # (B, T, dim), (B, T) -> (B, dim)
    """Maximum over the positions where `mask` is True."""
    return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)
