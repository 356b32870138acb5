"""Gradient checkpointing (Chen et al., 2016): a block's activations are computed again for the backward pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def blocks(net: nn.Module) -> list[nn.Module]:
    """The repeated blocks of a network, from input to output; empty if it has none.

    A network names them by an attribute `blocks`: the modules themselves, or a module that has such an attribute.
    """
    named = getattr(net, "blocks", None)
    if hasattr(named, "blocks"):
        return blocks(named)  # pyright: ignore
    return [block for block in named if isinstance(block, nn.Module)] if isinstance(named, Iterable) else []


def checkpoint_blocks(net: nn.Module) -> nn.Module:
    """Let each block keep only its inputs for the backward pass, which computes the rest again; return the network.

    Losses, gradients and running statistics keep their bits: the second time the same random numbers are drawn, and
    statistics are left alone. The forward method alone is replaced, so that names of weights and hooks on the blocks
    stay as they are. Raises ValueError for a network without blocks.
    """
    found = blocks(net)
    if not found:
        raise ValueError(
            f"{type(net).__name__} has no repeated blocks (an attribute `blocks` names them), so that there is nothing "
            "to compute again"
        )
    for block in found:
        if any(True for _ in block.buffers()):
            block.forward = partial(checkpointed_with_buffers, block.forward, block)
        else:
            block.forward = partial(checkpointed, block.forward)
    return net


def checkpointed(forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    """Call the `forward` of a block so that its activations are computed again for the backward pass, if there is one.

    torch.compile can include this in its graph.
    """
    if not torch.is_grad_enabled():
        return forward(*inputs, **named)
    return checkpoint(forward, *inputs, use_reentrant=False, **named)


@torch.compiler.disable(recursive=False)
def checkpointed_with_buffers(forward: Callable[..., Any], block: nn.Module, *inputs: Any, **named: Any) -> Any:
    """As `checkpointed`, for a block with statistics, which change once. The block is compiled on its own."""
    if not torch.is_grad_enabled():
        return forward(*inputs, **named)
    contexts = partial(forward_and_recomputation, block)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **named)


def forward_and_recomputation(block: nn.Module) -> tuple[Any, Any]:
    """The contexts of a block's two computations."""
    return nullcontext(), buffers_kept(block)


@contextmanager
def buffers_kept(block: nn.Module) -> Iterator[None]:
    """Let a computation change copies of the buffers, such as the running statistics of batch norm."""
    own = [(module, *named) for module in block.modules() for named in module.named_buffers(recurse=False)]
    for module, name, buffer in own:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in own:
            setattr(module, name, buffer)
