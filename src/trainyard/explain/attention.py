"""Attention as an explanation: the weights of each head, and rollout over the blocks (Abnar & Zuidema, 2020)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainyard.models.bert import BERT
from trainyard.models.gpt import GPT
from trainyard.models.layers.attention import SelfAttention
from trainyard.models.vit import ViT


@torch.no_grad()
def attention_weights(net: nn.Module, inputs: Tensor) -> list[Tensor]:
    """The attention weights (B, heads, T, T) of each block, in order, for a batch of inputs. Rows sum to 1.

    They are computed beside the network, from the inputs of its attention layers, which themselves go on using fused
    kernels that never have the weights; afterwards nothing of this is left in the network.
    """
    found = []

    def record(module: SelfAttention, args: Any, named: dict[str, Any]) -> None:
        mask = args[1] if len(args) > 1 else named.get("mask")
        found.append(module.weights(args[0], mask))

    layers = [module for module in net.modules() if isinstance(module, SelfAttention)]
    handles = [layer.register_forward_pre_hook(record, with_kwargs=True) for layer in layers]  # pyright: ignore
    try:
        net(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def rollout(weights: Sequence[Tensor]) -> Tensor:  # of each block (B, heads, T, T) -> (B, T, T)
    """How much of each input token (last axis) is in each token of the last block, were attention all that mixes them.

    The mean over heads and the identity, for the residual connection, each count half; blocks are multiplied.
    """
    eye = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype, device=weights[0].device)
    mixed = eye.expand(len(weights[0]), -1, -1)
    for block in weights:
        mixed = (0.5 * block.mean(1) + 0.5 * eye) @ mixed
    return mixed


def readout(net: nn.Module, length: int, position: int | None = None) -> Tensor:  # -> (length), sums to 1
    """The part of each token of the last block in what the network's head reads.

    `position` is the token that a language model predicts from; a class token counts as one of the `length`.
    """
    found = torch.zeros(length)
    if position is not None:
        found[has_class_token(net) + position] = 1
    elif isinstance(net, ViT) or (isinstance(net, BERT) and net.pool == "cls"):
        found[0] = 1
    elif isinstance(net, GPT):
        found[-1] = 1
    else:
        found[has_class_token(net) :] = 1
    return found / found.sum()


def has_class_token(net: nn.Module) -> int:
    """1 if the network puts a class token before the others, else 0."""
    return int(isinstance(net, ViT | BERT))
