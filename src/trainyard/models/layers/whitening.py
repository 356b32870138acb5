"""Whitening: filters of a first convolution that are computed from patches of the training images (Page, 2019)."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AT_ONCE = 2**24  # numbers of patches


def whitening_filters(batches: Iterable[Tensor], size: tuple[int, int], eps: float = 5e-4) -> Tensor:
    """Batches of images (B, C, H, W) -> (D, C, h, w), D = C * h * w: they make uncorrelated numbers of patches.

    They are the eigenvectors of the patches' second moments, the largest first, divided by the root of the eigenvalue
    plus `eps`, so that the numbers have variance 1, or less where there is little but noise.
    """
    moments, count, channels = torch.zeros((), dtype=torch.float64), 0, 0
    for images in batches:
        channels, numbers = images.shape[1], images[0].numel() * size[0] * size[1]
        for part in images.float().split(max(1, AT_ONCE // numbers)):
            patches = F.unfold(part, size).transpose(1, 2).flatten(0, 1)  # (N, D)
            moments, count = moments + (patches.T @ patches).double(), count + len(patches)
    values, vectors = torch.linalg.eigh(moments / count)
    return (vectors / (values.clamp(min=0) + eps).sqrt()).T.flip(0).reshape(-1, channels, *size).float()


@torch.no_grad()
def whiten(layer: nn.Conv2d, batches: Iterable[Tensor], eps: float = 5e-4) -> None:
    """Give a convolution the whitening filters and their negatives (Jordan, 2024), half of each; its bias becomes zero.

    Where it has more filters, the last ones stay as they are; where fewer, it gets those of the largest eigenvalues.
    """
    filters = whitening_filters(batches, (layer.kernel_size[0], layer.kernel_size[1]), eps)
    half = min(len(filters), len(layer.weight) // 2)
    layer.weight[: 2 * half] = torch.cat((filters[:half], -filters[:half])).to(layer.weight)
    if layer.bias is not None:
        layer.bias.zero_()


class Whitening(nn.Conv2d):
    """A convolution with both signs of each whitening filter, which do not train; its bias does, for `bias_epochs`.

    The task fits it to its training split before the first step, unless it has been (its weights are a trained run's).
    """

    is_fitted: Tensor

    def __init__(self, channels: int, size: int, bias_epochs: int | None = None, eps: float = 5e-4) -> None:
        super().__init__(channels, 2 * channels * size**2, size)
        self.bias_epochs, self.eps = bias_epochs, eps
        self.weight.requires_grad_(False)
        self.register_buffer("is_fitted", torch.tensor(False))

    def fit(self, batches: Iterable[Tensor]) -> None:  # of images (B, C, H, W), as the network gets them
        """Take the filters from the images."""
        whiten(self, batches, self.eps)
        self.is_fitted.fill_(True)
