"""VGG16 (Simonyan & Zisserman, 2014) with a small head instead of its three dense layers, for transfer learning."""

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VGG16_Weights

from trainyard.models.layers.checks import check_image_shape, check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.published_weights import fetch_weights

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
MIN_SIZE = 2 ** len(STAGES)  # pixels: every stage halves them


class VGG16(nn.Module):
    """Thirteen 3x3 convolutions in five stages, mean pooling, a dense ReLU layer, dropout, logits.

    `base` has the weights of torchvision's `features`. `resize` first scales the images to that height and width.
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        dense: int = 256,
        dropout: float = 0.5,
        resize: int | None = None,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        channels, *size = check_image_shape("the VGG16", shape)
        self.resize = resize
        if min(size if resize is None else [resize]) < MIN_SIZE:
            raise ValueError(
                f"the VGG16 halves its images five times and needs {MIN_SIZE} pixels, more than shape={list(shape)} "
                f"and resize={resize} give; set model.resize={MIN_SIZE} or more"
            )
        layers: list[nn.Module] = []
        for stage in STAGES:
            for width in stage:
                conv = nn.Conv2d(channels, width, kernel_size=3, padding=1)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(conv.bias)  # pyright: ignore
                layers += [conv, nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.base = nn.Sequential(*layers)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(channels, dense),
            nn.ReLU(inplace=True),
            nn.Dropout(check_probability("dropout", dropout)),
            nn.Linear(dense, num_logits(num_classes, num_outputs)),
        )

    def forward(self, image: Tensor) -> Tensor:  # (B, C, H, W) -> (B, num_logits)
        if self.resize:
            image = F.interpolate(image, (self.resize, self.resize), mode="bilinear", antialias=True)
        return self.head(self.pool(self.base(image)))

    def imagenet(self) -> dict[str, Tensor]:
        """The published weights of the base, trained on ImageNet (528 MB, once)."""
        state = fetch_weights(VGG16_Weights.IMAGENET1K_V1)
        prefix = "features."
        return {f"base.{name.removeprefix(prefix)}": p for name, p in state.items() if name.startswith(prefix)}
