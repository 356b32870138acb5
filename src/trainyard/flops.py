"""Counts the floating-point operations of a computation."""

from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

Shape = list[int]
aten = torch.ops.aten


def flop_counter() -> FlopCounterMode:
    """torch's counter of matrix products, convolutions and attention, which also knows its kernels of CPUs and LSTMs.

    A multiplication and an addition are two operations. Use it as a context, then ask it for `get_total_flops()`.
    """
    formulas = {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        aten.mkldnn_rnn_layer: _onednn_layer,
        aten._cudnn_rnn: _cudnn_layers,
    }
    return FlopCounterMode(display=False, custom_mapping=formulas)


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Two products for each head: queries with keys, (B, H, T, D) x (B, H, S, D), and their weights with the values."""
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _onednn_layer(inputs: Shape, of_inputs: Shape, of_state: Shape, *_: Any, **__: Any) -> int:
    """One direction of a layer: each step, (T, B, in), is multiplied by both weights, (4 x width, in or width)."""
    return 2 * prod(inputs[:-1]) * (prod(of_inputs) + prod(of_state))


def _cudnn_layers(inputs: Shape, weights: list[Shape], *_: Any, **__: Any) -> int:
    """All layers and directions: each step is multiplied by every matrix among the weights."""
    return 2 * prod(inputs[:-1]) * sum(prod(weight) for weight in weights if len(weight) == 2)
