"""Batch norm (Ioffe & Szegedy, 2015) over the samples of all processes, on any device."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

REPLACED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SyncedBatchNorm(_BatchNorm):
    """In training, samples are normalized by the mean and variance of those of all processes.

    Outputs, gradients and running statistics are those of one process with the whole batch. The processes may have
    different numbers of samples, or none; each must call it. In evaluation mode, or with one process, it is torch's own
    batch norm, to the bit. (torch.nn.SyncBatchNorm does the same, on GPUs only.) As with torch's, the gradients of
    weight and bias are those of the process's own samples; their sum over the processes is what DDP computes.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected an input of at least 2 axes (B, C, ...), got {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:  # (B, C, ...) -> (B, C, ...)
        if not self.training or process_count() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        output, mean, variance, count = _Normalize.apply(input, self.weight, self.bias, self.eps)
        if self.track_running_stats:
            self.update_statistics(mean, variance * count / (count - 1))
        return output

    @torch.no_grad()
    def update_statistics(self, mean: Tensor, unbiased_variance: Tensor) -> None:  # (C,), (C,)
        """Move the running statistics towards those of a batch, or include it in their mean if momentum is None."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        factor = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
        self.running_var.lerp_(unbiased_variance.to(self.running_var.dtype), factor)


class _Normalize(torch.autograd.Function):
    """(B, C, ...) -> the normalized samples, and mean, biased variance (C,) and number of values () of all processes.

    The variance is that of the deviations from the global mean (two passes), which loses no digits where the mean is
    large. Sums over processes are in float64.
    """

    @staticmethod
    @torch.compiler.disable
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> tuple[Tensor, ...]:
        axes = [0, *range(2, x.dim())]
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        local = torch.cat([wide.sum(axes).double(), wide.new_tensor([x.numel() // x.shape[1]], dtype=torch.float64)])
        total = sum_over_processes(local)
        count = total[-1]
        if count.item() < 2:
            raise ValueError(f"batch norm in training needs 2 values per channel, and all processes have {int(count)}")
        mean = (total[:-1] / count).to(wide.dtype)
        deviation = wide - along_channels(mean, x)
        variance = sum_over_processes(deviation.square().sum(axes).double()) / count
        scale = (variance + eps).rsqrt().to(wide.dtype)
        ctx.save_for_backward(x, mean, scale, weight)
        ctx.count, ctx.has_bias = count, bias is not None
        output = deviation * along_channels(scale if weight is None else scale * weight, x)
        output = output if bias is None else output + along_channels(bias, x)
        ctx.mark_non_differentiable(mean, variance, count)
        return output.to(x.dtype), mean, variance, count

    @staticmethod
    @once_differentiable
    @torch.compiler.disable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore
        x, mean, scale, weight = ctx.saved_tensors
        axes = [0, *range(2, x.dim())]
        gradient = gradient.to(mean.dtype)
        normalized = (x - along_channels(mean, x)) * along_channels(scale, x)
        sums = torch.stack([gradient.sum(axes), (gradient * normalized).sum(axes)])
        to_input = None
        if ctx.needs_input_grad[0]:
            means = (sum_over_processes(sums.double()) / ctx.count).to(mean.dtype)
            centered = gradient - along_channels(means[0], x) - normalized * along_channels(means[1], x)
            to_input = (centered * along_channels(scale if weight is None else scale * weight, x)).to(x.dtype)
        return to_input, None if weight is None else sums[1].to(weight.dtype), sums[0] if ctx.has_bias else None, None


def process_count() -> int:
    """The processes that train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_processes(local: Tensor) -> Tensor:
    """The sum of a tensor over all processes."""
    total = local.clone()
    dist.all_reduce(total)
    return total


def along_channels(values: Tensor, x: Tensor) -> Tensor:
    """(C,) -> (1, C, 1, ...), as many axes as x has."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


def synchronize_batch_norm(net: nn.Module, accelerator: str = "cpu") -> nn.Module:
    """Let every BatchNorm1d, 2d and 3d normalize over the samples of all processes; return the network.

    The modules themselves change their class, so that weights, statistics, hooks and names stay as they are. On CUDA
    GPUs torch's own SyncBatchNorm replaces them. A network that is going to be compiled is synchronized first.
    """
    if accelerator == "gpu":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for module in net.modules():
        if isinstance(module, REPLACED) and type(module).forward is _BatchNorm.forward:
            module.__class__ = SyncedBatchNorm  # pyright: ignore
    return net
