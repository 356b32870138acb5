"""Tokens from a causal language model: temperature, top-k (Fan et al., 2018), top-p (Holtzman et al., 2019)."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from trainyard.models.gpt import GPT
from trainyard.models.layers.padding import PADDING


@torch.no_grad()
def generate_tokens(
    net: GPT,
    prompt: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
    stop: int | None = 3,
) -> Tensor:
    """Prompts (B, T) of equal length -> (B, up to T + max_new_tokens): the prompts and their continuations.

    A row ends with the token `stop` and is padded after it. `top_k` keeps the k most probable tokens, `top_p` the
    fewest whose probabilities add up to it; `top_k=1` is greedy. Padding is never drawn.
    """
    _check_request(net, prompt, max_new_tokens, temperature, top_k, top_p)

    def draw(logits: Tensor) -> Tensor:  # (B, vocab_size) -> (B, 1)
        return filter_logits(logits / temperature, top_k, top_p).softmax(-1).multinomial(1, generator=generator)

    training = net.training
    try:
        return _extend(net.eval(), prompt, max_new_tokens, stop, draw)
    finally:
        net.train(training)


def filter_logits(logits: Tensor, top_k: int | None = None, top_p: float | None = None) -> Tensor:
    """(B, vocab_size) -> the same, with -inf for each token that must not be drawn."""
    ranked, order = logits.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ranked[:, top_k:] = -torch.inf
    if top_p is not None:
        probabilities = ranked.softmax(-1)
        ranked = ranked.masked_fill(probabilities.cumsum(-1) - probabilities >= top_p, -torch.inf)
    return torch.empty_like(logits).scatter(1, order, ranked)


def _extend(
    net: GPT, tokens: Tensor, max_new_tokens: int, stop: int | None, draw: Callable[[Tensor], Tensor]
) -> Tensor:
    """(B, T) -> (B, up to T + max_new_tokens): repeatedly append the token that `draw` samples."""
    caches, new = net.caches(), tokens
    ended = torch.zeros(len(tokens), 1, dtype=torch.bool, device=tokens.device)
    for _ in range(max_new_tokens):
        logits = net.decode(net.encode(new, caches)[:, -1])
        logits[:, PADDING] = -torch.inf
        new = draw(logits).masked_fill(ended, PADDING)
        tokens = torch.cat([tokens, new], dim=1)
        if stop is not None:
            ended = ended | (new == stop)
            if ended.all():
                break
    return tokens


def _check_request(
    net: GPT, prompt: Tensor, max_new_tokens: int, temperature: float, top_k: int | None, top_p: float | None
) -> None:
    """Raise ValueError for what cannot be generated."""
    if net.num_classes is not None:
        raise ValueError(f"a classifier of {net.num_classes} classes generates no text; train a language model")
    if prompt.shape[1] < 1 or bool((prompt == PADDING).any()):
        raise ValueError("a prompt needs at least 1 token and no padding; pass prompts of one length at a time")
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens={max_new_tokens} must be at least 1")
    if prompt.shape[1] + max_new_tokens > net.max_length:
        raise ValueError(
            f"a prompt of {prompt.shape[1]} tokens and max_new_tokens={max_new_tokens} exceed the network's "
            f"max_length={net.max_length}; ask for fewer"
        )
    if not temperature > 0:
        raise ValueError(f"temperature={temperature} must be positive; for the most probable token set top_k=1")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} must be in (0, 1]")
