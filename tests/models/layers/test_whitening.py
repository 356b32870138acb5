"""Filters that whiten the patches of images."""

import torch
import torch.nn.functional as F
from torch import nn

from trainyard.models.layers.whitening import Whitening, whiten, whitening_filters


def smooth_images(count: int = 64) -> torch.Tensor:
    """Images whose neighbors and channels are correlated, in which a patch of 2 x 2 pixels has all its directions."""
    x = torch.randn(count, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    x = F.avg_pool2d(x, 3, stride=1) + 0.1 * x[..., 1:-1, 1:-1]
    return x + 0.5 * x.flip(1)


def second_moments(outputs: torch.Tensor) -> torch.Tensor:  # (B, D, H, W) -> (D, D)
    numbers = outputs.transpose(0, 1).flatten(1)
    return numbers @ numbers.T / numbers.shape[1]


def test_patches_come_out_uncorrelated_with_variance_one() -> None:
    images = smooth_images()
    layer = Whitening(3, 2, eps=0.0)
    assert not layer.is_fitted and not torch.allclose(second_moments(layer(images)[:, :12]), torch.eye(12), atol=0.1)
    layer.fit(images.split(10))
    outputs = layer(images)
    assert layer.is_fitted and not layer.weight.requires_grad and layer.bias is not None and layer.bias.requires_grad
    torch.testing.assert_close(second_moments(outputs[:, :12]), torch.eye(12), atol=1e-3, rtol=0)
    torch.testing.assert_close(outputs[:, 12:], -outputs[:, :12])


def test_what_is_little_but_noise_is_not_enlarged() -> None:
    """The directions come by their variance, and `eps` keeps that of the last ones below one."""
    images = smooth_images()
    variances = [
        second_moments(F.conv2d(images, whitening_filters([images], (2, 2), eps))).diag() for eps in (0.0, 0.1)
    ]
    assert variances[1][0] > 0.8 and variances[1][-1] < 0.2
    assert torch.equal(variances[1], variances[1].sort(descending=True)[0])


def test_another_convolution_gets_as_many_filters_as_it_has() -> None:
    """Those of the largest eigenvalues where it has few; where it has many, the rest stays as it was."""
    images = smooth_images()
    few, many = nn.Conv2d(3, 6, 2), nn.Conv2d(3, 30, 2, padding=1)
    before = many.weight[24:].clone()
    for layer in (few, many):
        whiten(layer, [images], eps=0.0)
    filters = whitening_filters([images], (2, 2), 0.0)
    assert torch.equal(few.weight, torch.cat((filters[:3], -filters[:3])))
    assert torch.equal(many.weight[:24], torch.cat((filters, -filters))) and torch.equal(many.weight[24:], before)
    assert many.weight.requires_grad
