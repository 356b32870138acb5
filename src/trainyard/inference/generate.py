"""Texts from a causal language model: encode the prompt, generate tokens, decode them."""

from typing import Any, TypeGuard

import torch
from torch import nn

from trainyard.data.loading.tokens import SEP
from trainyard.data.text import Text
from trainyard.inference.sampling import generate_tokens
from trainyard.models.gpt import GPT


def is_causal_language_model(net: nn.Module) -> TypeGuard[GPT]:
    """Whether texts can be generated with the network."""
    return isinstance(net, GPT) and net.num_classes is None


def generate_texts(
    net: nn.Module,
    data: Text,
    prompt: str = "",
    max_new_tokens: int | None = None,
    count: int = 1,
    seed: int = 0,
    **sampling: Any,
) -> list[str]:
    """Generate `count` texts that begin with `prompt` and have up to `max_new_tokens` more (by default what fits).

    `sampling` is temperature, top_k and top_p of `generate_tokens`. ValueError for a network that is not a causal
    language model, and for a prompt that fills its context.
    """
    if not is_causal_language_model(net):
        raise ValueError(f"{type(net).__name__} is not a causal language model; train one: model=gpt data=imdb_lm")
    words = data.encode([prompt]) if prompt else torch.empty(1, 0, dtype=torch.long)
    tokens = torch.cat([torch.tensor([[SEP]]), words], dim=1)  # in training, each text follows another's [SEP]
    room = net.max_length - tokens.shape[1]
    if room < 1:
        raise ValueError(f"the prompt fills the network's context of {net.max_length} tokens; shorten it")
    device = next(net.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    prompts = tokens.expand(count, -1).to(device)
    generated = generate_tokens(net, prompts, max_new_tokens or room, generator=generator, stop=SEP, **sampling)
    return [data.decode(row).strip() for row in generated]
