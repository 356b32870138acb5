"""What is explained: the score of each class, as a function that can be differentiated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Scores = Callable[..., Tensor]  # inputs (B, ...) -> (B, num_classes)


def class_scores(net: nn.Module, position: int | None = None) -> Scores:
    """The logits of each class; of a single logit z they are -z and z. A language model's are those at `position`."""

    def scores(inputs: Tensor) -> Tensor:  # (B, ...) -> (B, num_classes)
        outputs = net(inputs)
        outputs = outputs if position is None else outputs[:, position]
        return torch.cat([-outputs, outputs], dim=1) if outputs.shape[1] == 1 else outputs

    return scores


@contextmanager
def differentiable(net: nn.Module) -> Iterator[None]:
    """Let gradients be computed in evaluation mode. (cuDNN's recurrent layers refuse that; torch's own do not.)"""
    recurrent = any(isinstance(module, nn.RNNBase) for module in net.modules())
    cudnn = torch.backends.cudnn.enabled and not recurrent
    with torch.inference_mode(False), torch.enable_grad(), torch.backends.cudnn.flags(enabled=cudnn):
        yield


@contextmanager
def fitting(inputs: Tensor) -> Iterator[None]:
    """Turn a network's error about its input (of another shape, say) into a ValueError."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ValueError(f"an input of shape {tuple(inputs.shape[1:])} does not fit the network: {error}") from error


def gradient(scores: Scores, x: Tensor, target: int) -> Tensor:  # (B, ...) -> (B, ...)
    """The gradient of the target's score with respect to the inputs."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(scores(x)[:, target].sum(), x)[0]
