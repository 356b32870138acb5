"""Padding of token batches. Networks read every row left-aligned, so that the side of the padding does not matter."""

import torch
from torch import Tensor

PADDING = 0  # token id


def alignment(tokens: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """The order of positions that moves each row's tokens to the left and its padding to the right."""
    return (tokens == PADDING).int().argsort(dim=1, stable=True)


def left_aligned(tokens: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """The same tokens in the same order, with all padding on the right."""
    return tokens.gather(1, alignment(tokens))


def restore(hidden: Tensor, order: Tensor, positions: Tensor | None = None) -> Tensor:
    """Undo an `alignment` (B, T): the output (B, T, dim) of each token at that token's position.

    With `positions` (B, T): (N, dim), of the tokens where it is True.
    """
    starts = order.shape[1] * torch.arange(order.shape[0], device=order.device)
    index = starts[:, None] + order.argsort(dim=1)  # (B, T), into the rows of all tokens
    found = index if positions is None else index[positions]
    return hidden.flatten(0, 1).index_select(0, found.flatten()).unflatten(0, found.shape)


def lengths(tokens: Tensor) -> Tensor:  # (B, T) -> (B,)
    """Tokens in each row, at least 1: an empty row counts as one padding token, so that its mean is defined."""
    return (tokens != PADDING).sum(1).clamp(min=1)


def token_mask(tokens: Tensor) -> Tensor:  # (B, T) -> (B, T)
    """True at the first `lengths` positions of each row, which are the tokens of left-aligned rows."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths(tokens)[:, None]


def last(hidden: Tensor, tokens: Tensor) -> Tensor:  # (B, T, dim), (B, T) -> (B, dim)
    """The output at the last token of each left-aligned row."""
    return hidden[torch.arange(tokens.shape[0], device=tokens.device), lengths(tokens) - 1]


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:  # (B, T, dim), (B, T) -> (B, dim)
    """Mean over the positions where `mask` is True."""
    return hidden.masked_fill(~mask[..., None], 0).sum(1) / mask.sum(1, keepdim=True)


def masked_max(hidden: Tensor, mask: Tensor) -> Tensor:  # (B, T, dim), (B, T) -> (B, dim)
    """Maximum over the positions where `mask` is True."""
    return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)
