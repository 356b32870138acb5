"""Residual network of basic blocks (He et al., 2015): ResNet-18 and its relatives."""

from collections import OrderedDict

from torch import Tensor, nn

from trainyard.models.checks import image_shape
from trainyard.models.heads import num_logits

STEMS = ("auto", "cifar", "imagenet")


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size but for its stride, and batch norm in place of its bias."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm2d(outputs)]


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a projection where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *conv_norm(inputs, outputs, 3, stride), nn.ReLU(inplace=True), *conv_norm(outputs, outputs, 3)
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(inputs, outputs, 1, stride))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, H, W) -> (B, outputs, H / stride, W / stride)
        return self.relu(self.residual(x) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, a stage for each entry of `blocks` (each stage twice as wide at half the size), mean pooling, a head.

    `stem: imagenet` is the paper's 7x7 convolution with stride 2 and a pool; `cifar` is 3x3 with neither;
    `auto` takes `cifar` for images of up to 64 pixels. ResNet-18 is blocks [2, 2, 2, 2] at width 64.
    """

    def __init__(
        self, shape: list[int], num_classes: int, blocks: list[int], width: int = 64, stem: str = "auto"
    ) -> None:
        super().__init__()
        channels, *size = image_shape("the ResNet", shape)
        if stem not in STEMS:
            raise ValueError(f"stem={stem} is unknown; choose one of {', '.join(STEMS)}")
        if width < 1 or not blocks or min(blocks) < 1:
            raise ValueError(f"width={width} and blocks={list(blocks)}: all must be at least 1")
        small = stem == "cifar" or (stem == "auto" and max(size) <= 64)
        layers = [*conv_norm(channels, width, 3 if small else 7, 1 if small else 2), nn.ReLU(inplace=True)]
        self.stem = nn.Sequential(*layers, *([] if small else [nn.MaxPool2d(3, stride=2, padding=1)]))
        stages, inputs = OrderedDict(), width
        for stage, depth in enumerate(blocks):
            outputs = width * 2**stage
            first = Block(inputs, outputs, stride=1 if stage == 0 else 2)
            stages[f"stage{stage + 1}"] = nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(depth - 1)))
            inputs = outputs
        self.stages = nn.Sequential(stages)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(inputs, num_logits(num_classes))

    def forward(self, image: Tensor) -> Tensor:  # (B, C, H, W) -> (B, num_logits)
        return self.head(self.pool(self.stages(self.stem(image))))
