"""Texts from a causal language model: encode the prompt, generate tokens, decode them."""

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from trainyard.data.loading.tokens import SEP
from trainyard.data.text import Text
from trainyard.inference.sampling import generate_tokens
from trainyard.models.gpt import GPT


def is_causal_language_model(net: nn.Module) -> TypeGuard[GPT]:
    """Whether texts can be generated with the network."""
    return isinstance(net, GPT) and net.num_classes is None


def can_generate(net: nn.Module, data: Any) -> bool:
    """Whether texts can be generated with the network, and the data has a tokenizer for them."""
    return is_causal_language_model(net) and isinstance(data, Text)


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
    language model, for a prompt that fills its context, and for one without a word.
    """
    if not is_causal_language_model(net):
        raise ValueError(f"{type(net).__name__} cannot continue texts as a GPT does; train one: model=gpt data=imdb_lm")
    tokens = prompt_tokens(net, data, prompt)
    device = next(net.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    prompts = tokens.expand(count, -1).to(device)
    most = max_new_tokens or net.max_length - len(tokens)
    generated = generate_tokens(net, prompts, most, generator=generator, stop=SEP, **sampling)
    return [data.decode(row).strip() for row in generated]


def prompt_tokens(net: GPT, data: Text, prompt: str) -> Tensor:  # -> (T), T < net.max_length
    """[SEP] and the tokens of the whole prompt; ValueError if it fills the network's context or has no word.

    (In training, each text follows another's [SEP].)
    """
    words = data.whole_tokens([prompt])[0] if prompt else torch.empty(0, dtype=torch.long)
    if len(words) + 1 >= net.max_length:
        raise ValueError(
            f"the prompt {prompt[:40]!r} of {len(words)} tokens fills the network's context of "
            f"{net.max_length} tokens; shorten it"
        )
    return torch.cat([torch.tensor([SEP]), words])
