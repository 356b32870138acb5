"""airbench94 (Jordan, 2024, arXiv 2404.00498): a small convolutional network that learns CIFAR-10 in few epochs."""

from torch import Tensor, nn

from trainyard.models.layers.activations import activation as make_activation
from trainyard.models.layers.checks import check_image_shape
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.whitening import Whitening


class ConvGroup(nn.Sequential):
    """`depth` 3x3 convolutions with batch norm, the first one with max pooling; they begin as the identity.

    The first filters are those of Dirac (as many as there are inputs), the norms have no gain, and `momentum` is the
    share of the running statistics that a batch leaves as it is.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, activation: str, momentum: float) -> None:
        layers: list[nn.Module] = []
        for i in range(depth):
            layer = nn.Conv2d(outputs if i else inputs, outputs, 3, padding=1, bias=False)
            nn.init.dirac_(layer.weight.data[: layer.in_channels])
            norm = nn.BatchNorm2d(outputs, eps=1e-12, momentum=1 - momentum)
            norm.weight.requires_grad_(False)
            layers += [layer, *([] if i else [nn.MaxPool2d(2)]), norm, make_activation(activation)]
        super().__init__(*layers)


class Airbench(nn.Module):
    """A whitened convolution, a group of convolutions for each of `widths`, max pooling and a scaled linear head.

    The whitening filters are fitted to the training images and stay; its bias trains for `bias_epochs` (None: always).
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        widths: list[int] = [64, 256, 256],  # noqa: B006
        depth: int = 2,
        whitening_size: int = 2,
        bias_epochs: int | None = None,
        activation: str = "gelu",
        norm_momentum: float = 0.6,
        head_scale: float = 1 / 9,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        channels, *size = check_image_shape("airbench", shape)
        smallest = 2 ** len(widths) + whitening_size - 1
        if min(size) < smallest:
            raise ValueError(
                f"widths={list(widths)} halve the image {len(widths)} times: images of {min(size)} pixels are too "
                f"small, they need {smallest}; give fewer widths"
            )
        if depth < 1 or not 0 <= norm_momentum < 1:
            raise ValueError(f"depth={depth} must be at least 1, and norm_momentum={norm_momentum} in [0, 1)")
        self.whitening = Whitening(channels, whitening_size, bias_epochs)
        self.activation = make_activation(activation)
        inputs = [self.whitening.out_channels, *widths[:-1]]
        self.blocks = nn.Sequential(
            *(ConvGroup(i, o, depth, activation, norm_momentum) for i, o in zip(inputs, widths, strict=True))
        )
        self.pool = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.head = nn.Linear(widths[-1], num_logits(num_classes, num_outputs), bias=False)
        self.head_scale = head_scale

    def forward(self, image: Tensor) -> Tensor:  # (B, C, H, W) -> (B, num_logits)
        x = self.blocks(self.activation(self.whitening(image)))
        return self.head(self.pool(x)) * self.head_scale
