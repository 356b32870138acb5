"""Grad-CAM (Selvaraju et al., 2017): the parts of the last feature map that speak for a class."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.explain.scores import Scores


def gradcam(net: nn.Module, scores: Scores, x: Tensor, target: int) -> Tensor:  # (1, C, H, W) -> (1, H, W)
    """Feature maps weighted by their mean gradients, summed, without negative values, scaled up to the image."""
    layer, kept = last_feature_map(net, x), []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # a following layer that works in place leaves the one that was kept alone

    handle = layer.register_forward_hook(keep)
    try:
        score = scores(x.detach().requires_grad_())[:, target].sum()
    finally:
        handle.remove()
    (slopes,) = torch.autograd.grad(score, kept[-1])
    cam = (slopes.mean(dim=(2, 3), keepdim=True) * kept[-1]).sum(1, keepdim=True).relu().detach()
    return F.interpolate(cam, x.shape[2:], mode="bilinear", align_corners=False)[:, 0]


def last_feature_map(net: nn.Module, x: Tensor) -> nn.Module:
    """The layer that ends the last stage of convolutions, before it is pooled: norms and activations included.

    It is the last one whose output is as high and wide as that of the last convolution with more than one pixel.
    """
    sizes: list[tuple[nn.Module, torch.Size]] = []

    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2:].numel() > 1:
            sizes.append((module, output.shape[2:]))

    handles = [module.register_forward_hook(record) for module in net.modules() if module is not net]
    try:
        with torch.no_grad():
            net(x)
    finally:
        for handle in handles:
            handle.remove()
    last = [size for module, size in sizes if isinstance(module, nn.Conv2d)]
    if not last:
        raise ValueError(f"images of {x.shape[2]} x {x.shape[3]} pixels leave no feature map of more than one pixel")
    return [module for module, size in sizes if size == last[-1]][-1]
