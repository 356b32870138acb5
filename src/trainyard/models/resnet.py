"""Residual network (He et al., 2015): ResNet-18, 34, 50 and variants."""

from collections import OrderedDict

from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet34_Weights, ResNet50_Weights, WeightsEnum
from torchvision.ops import StochasticDepth

from trainyard.models.layers.checks import check_image_shape, check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.published_weights import fetch_weights

STEMS = ("auto", "cifar", "imagenet")
EXPANSIONS = {"basic": 1, "bottleneck": 4}  # a block's outputs in units of its width
PUBLISHED: dict[tuple[str | int, ...], WeightsEnum] = {
    ("basic", 2, 2, 2, 2): ResNet18_Weights.DEFAULT,
    ("basic", 3, 4, 6, 3): ResNet34_Weights.DEFAULT,
    ("bottleneck", 3, 4, 6, 3): ResNet50_Weights.DEFAULT,
}


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A padded convolution without bias, and batch norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm2d(outputs)]


def residual(block: str, inputs: int, width: int, stride: int) -> list[nn.Module]:
    """Two 3x3 convolutions (basic), or one between two 1x1 convolutions that reduce and expand (bottleneck)."""
    if block == "basic":
        return [*conv_norm(inputs, width, 3, stride), nn.ReLU(inplace=True), *conv_norm(width, width, 3)]
    narrow = [*conv_norm(inputs, width, 1), nn.ReLU(inplace=True)]
    # the paper has the stride in the 1x1; in the 3x3, as here and in torchvision, it is more accurate
    middle = [*conv_norm(width, width, 3, stride), nn.ReLU(inplace=True)]
    return [*narrow, *middle, *conv_norm(width, EXPANSIONS[block] * width, 1)]


class ResidualBlock(nn.Module):
    """A residual branch plus a shortcut, which is a projection where the shape changes.

    In training the branch is skipped for a sample with probability `drop` (Huang et al., 2016).
    """

    def __init__(self, block: str, inputs: int, width: int, stride: int, drop: float = 0.0) -> None:
        super().__init__()
        outputs = EXPANSIONS[block] * width
        skip = [StochasticDepth(drop, "row")] if drop else []
        self.residual = nn.Sequential(*residual(block, inputs, width, stride), *skip)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(inputs, outputs, 1, stride))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, H, W) -> (B, outputs, H / stride, W / stride)
        return self.relu(self.residual(x) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, a stage for each entry of `blocks` (each twice as wide at half the resolution), mean pooling, a head.

    `stem: imagenet` is the paper's 7x7 convolution with stride 2 and max pooling; `cifar` is 3x3 without either;
    `auto` means `cifar` for images of up to 64 pixels. ResNet-18 has basic blocks [2, 2, 2, 2] at width 64, ResNet-50
    bottlenecks [3, 4, 6, 3]. The probability of skipping a block rises linearly with depth, up to `stochastic_depth`.
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        blocks: list[int],
        width: int = 64,
        stem: str = "auto",
        block: str = "basic",
        stochastic_depth: float = 0.0,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        channels, *size = check_image_shape("the ResNet", shape)
        if stem not in STEMS:
            raise ValueError(f"stem={stem} is unknown; choose one of {', '.join(STEMS)}")
        if block not in EXPANSIONS:
            raise ValueError(f"block={block} is unknown; choose one of {', '.join(EXPANSIONS)}")
        if width < 1 or not blocks or min(blocks) < 1:
            raise ValueError(f"width={width} and all of blocks={list(blocks)} must be at least 1")
        step = check_probability("stochastic_depth", stochastic_depth) / sum(blocks)
        self.kind = (block, *blocks)
        small = stem == "cifar" or (stem == "auto" and max(size) <= 64)
        layers = [*conv_norm(channels, width, 3 if small else 7, 1 if small else 2), nn.ReLU(inplace=True)]
        self.stem = nn.Sequential(*layers, *([] if small else [nn.MaxPool2d(3, stride=2, padding=1)]))
        stages, inputs, place = OrderedDict(), width, 0
        for stage, depth in enumerate(blocks):
            made = []
            for i in range(depth):
                place += 1
                stride = 2 if stage > 0 and i == 0 else 1
                made.append(ResidualBlock(block, inputs, width * 2**stage, stride, drop=step * place))
                inputs = EXPANSIONS[block] * width * 2**stage
            stages[f"stage{stage + 1}"] = nn.Sequential(*made)
        self.stages = nn.Sequential(stages)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(inputs, num_logits(num_classes, num_outputs))

    @property
    def blocks(self) -> list[nn.Module]:
        """All residual blocks, from input to output."""
        return [block for stage in self.stages.children() for block in stage.children()]

    def forward(self, image: Tensor) -> Tensor:  # (B, C, H, W) -> (B, num_logits)
        return self.head(self.pool(self.stages(self.stem(image))))

    def imagenet(self) -> dict[str, Tensor]:
        """The published weights, trained on ImageNet; ValueError where there are none for this network."""
        if self.kind not in PUBLISHED:
            raise ValueError("published weights exist only for model=resnet18, resnet34 and resnet50")
        if len(self.stem) == 3:
            raise ValueError("the published weights are for the 7x7 stem; set model.stem=imagenet")
        theirs = fetch_weights(PUBLISHED[self.kind])
        return dict(zip(self.state_dict(), theirs.values(), strict=True))  # both list blocks and layers alike
