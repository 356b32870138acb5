"""Test-time augmentation: the mean of what a network returns for several views of an image."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Views = list[tuple[float, Tensor]]  # the weight of each view, and its images


def mirror(x: Tensor) -> Views:  # (B, C, H, W)
    """The images, and these mirrored."""
    return [(0.5, x), (0.5, x.flip(-1))]


def crops(x: Tensor) -> Views:
    """`mirror` (half of the weight), and those of images that are moved up left and down right (Jordan, 2024).

    By a 32nd of the height, one pixel of CIFAR-10, reflected at the edges.
    """
    height, width = x.shape[2:]
    shift = max(1, round(height / 32))
    padded = F.pad(x, (shift, shift, shift, shift), mode="reflect")
    corners = padded[..., :height, :width], padded[..., 2 * shift :, 2 * shift :]
    moved = [(weight / 4, view) for corner in corners for weight, view in mirror(corner)]
    return [(weight / 2, view) for weight, view in mirror(x)] + moved


VIEWS: dict[str, Callable[[Tensor], Views]] = {"none": lambda x: [(1.0, x)], "mirror": mirror, "crops": crops}


def check_views(name: str) -> str:
    """The name; ValueError for one that is unknown."""
    if name not in VIEWS:
        raise ValueError(f"task.views={name} is unknown; choose one of {', '.join(VIEWS)}")
    return name


def mean_over_views(net: nn.Module, x: Tensor, name: str) -> Tensor:  # (B, C, H, W) -> what the network returns
    """The weighted mean of the outputs, of `none` those of the inputs; ValueError for views of what is no image."""
    if name == "none":
        return net(x)
    if x.ndim != 4:
        raise ValueError(
            f"task.views={name} are those of images (batch, channels, height, width), and the inputs are "
            f"{tuple(x.shape)}; set task.views=none"
        )
    return torch.stack([weight * net(view) for weight, view in VIEWS[name](x)]).sum(dim=0)
