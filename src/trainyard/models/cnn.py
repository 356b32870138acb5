"""Small convolutional network (after LeCun et al., 1998), with the article's layers."""

from torch import Tensor, nn

from trainyard.models.layers.activations import activation as make_activation
from trainyard.models.layers.checks import check_image_shape, check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize


class CNN(nn.Module):
    """Stages of 3x3 convolutions, each followed by 2x2 max pooling and dropout; then two dense layers.

    `stages` lists the output channels of each stage's convolutions: [[32, 32], [64, 64], [128]]. `padding` is 0 in the
    article; 1 keeps the size. `batch_norm` is applied before each activation.
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        stages: list[list[int]],
        dense: int = 512,
        stage_dropout: float = 0.25,
        dense_dropout: float = 0.5,
        activation: str = "relu",
        padding: int = 0,
        batch_norm: bool = False,
        init: str = "torch",
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = check_image_shape("the CNN", shape)
        check_probability("stage_dropout", stage_dropout)
        check_probability("dense_dropout", dense_dropout)
        if padding not in (0, 1):
            raise ValueError(f"padding={padding} must be 0 (none) or 1 (a 3x3 convolution keeps the size)")
        layers: list[nn.Module] = []
        for stage in stages:
            for out in stage:
                norm = [nn.BatchNorm2d(out)] if batch_norm else []
                layers += [nn.Conv2d(channels, out, 3, padding=padding), *norm, make_activation(activation)]
                channels, height, width = out, height - 2 + 2 * padding, width - 2 + 2 * padding
            layers += [nn.MaxPool2d(2), nn.Dropout(stage_dropout)]
            height, width = height // 2, width // 2
        if min(height, width) < 1:
            raise ValueError(f"images of shape {list(shape)} are too small for the CNN's stages {stages}; drop a stage")
        self.body = nn.Sequential(*layers, nn.Flatten())
        norm = [nn.BatchNorm1d(dense)] if batch_norm else []
        self.neck = nn.Sequential(
            nn.Linear(channels * height * width, dense), *norm, make_activation(activation), nn.Dropout(dense_dropout)
        )
        self.head = nn.Linear(dense, num_logits(num_classes, num_outputs))
        initialize(self, init)

    def forward(self, image: Tensor) -> Tensor:  # (B, C, H, W) -> (B, num_logits)
        return self.head(self.neck(self.body(image)))
