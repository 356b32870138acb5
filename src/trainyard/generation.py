"""From a prompt to texts: the tokens, the network and back."""

from typing import Any

import torch
from torch import nn

from trainyard.data.text import Text
from trainyard.data.tokens import SEP
from trainyard.models.gpt import GPT
from trainyard.models.sampling import generate


def can_write(net: nn.Module) -> bool:
    """Whether the network is a language model that goes on with a text."""
    return isinstance(net, GPT) and net.num_classes is None


def continued(
    net: nn.Module,
    data: Text,
    prompt: str = "",
    max_new_tokens: int | None = None,
    count: int = 1,
    seed: int = 0,
    **sampling: Any,
) -> list[str]:
    """`count` texts that begin with the prompt, each as long as it likes or `max_new_tokens` (else the context) allow.

    `sampling` is temperature, top_k and top_p, as `models.sampling.generate` has them. ValueError for a network that
    is no causal language model, and for a prompt that leaves no room.
    """
    if not can_write(net):
        raise ValueError(f"{type(net).__name__} is no causal language model; train one: model=gpt data=imdb_lm")
    assert isinstance(net, GPT)
    words = data.encode([prompt]) if prompt else torch.empty(1, 0, dtype=torch.long)
    tokens = torch.cat([torch.tensor([[SEP]]), words], dim=1)  # as every text begins after another's end
    room = net.max_length - tokens.shape[1]
    if room < 1:
        raise ValueError(f"the prompt leaves no room in the network's context of {net.max_length} tokens; shorten it")
    device = next(net.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    made = generate(
        net, tokens.expand(count, -1).to(device), max_new_tokens or room, generator=generator, stop=SEP, **sampling
    )
    return [data.decode(row).strip() for row in made]
