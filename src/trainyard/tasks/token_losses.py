"""The cross-entropy of each token, whose logits are the largest tensor of a small language model."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 256  # tokens whose logits are in 32 bits at a time: a few MB, which a processor's cache holds


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:  # (N, vocab_size), (N) -> (N)
    """In 32 bits. Of logits with 16 bits on a CPU, by parts: there, memory takes longer than arithmetic."""
    if logits.device.type == "cpu" and logits.dtype in (torch.bfloat16, torch.float16):
        return InParts.apply(logits, targets)  # pyright: ignore[reportReturnType]
    return F.cross_entropy(logits.float(), targets, reduction="none")


class InParts(torch.autograd.Function):
    """Cross-entropy that keeps the logits as they are and, of each token, the logarithm of the sum of exponentials."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:  # (N, vocab_size), (N) -> (N)
        totals = torch.cat([part.float().logsumexp(1) for part in logits.split(ROWS)])
        ctx.save_for_backward(logits, targets, totals)
        return totals - logits.gather(1, targets[:, None])[:, 0].float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        logits, targets, totals = ctx.saved_tensors
        (gradient,) = gradients  # (N)
        result = torch.empty_like(logits)
        for start in range(0, len(logits), ROWS):
            part = slice(start, start + ROWS)
            share = logits[part].float().sub_(totals[part, None]).exp_()  # softmax
            share[torch.arange(len(share)), targets[part]] -= 1
            result[part] = share.mul_(gradient[part, None])
        return result, None
