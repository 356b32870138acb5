"""Compact Convolutional Transformer (Hassani et al., 2021): convolutions make the tokens of a small Transformer."""

from torch import Tensor, nn

from trainyard.models.layers.checks import check_image_shape, check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize, initialize_normal
from trainyard.models.layers.positions import Positions
from trainyard.models.layers.transformer_block import TransformerStack


class SequencePooling(nn.Module):
    """The mean of the tokens, weighted by the softmax of a learned score of each."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, dim) -> (B, dim)
        return (self.score(x).softmax(dim=1).transpose(1, 2) @ x).squeeze(1)


class CCT(nn.Module):
    """`convolutions` with ReLU and 3x3 max pooling of stride 2, `depth` pre-norm blocks, sequence pooling, a head.

    CCT-2/3x2 has depth 2, kernels of 3 pixels and 2 convolutions. All but the last of them have `width` channels.
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        convolutions: int = 2,
        kernel_size: int = 3,
        width: int = 64,
        dim: int = 128,
        depth: int = 2,
        heads: int = 2,
        ff_dim: int = 128,
        positions: str = "learned",
        activation: str = "gelu",
        dropout: float = 0.0,
        attention_dropout: float = 0.1,
        stochastic_depth: float = 0.1,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        channels, *size = check_image_shape("the CCT", shape)
        if convolutions < 1 or kernel_size < 1 or kernel_size % 2 == 0 or width < 1:
            raise ValueError(
                f"convolutions={convolutions} and width={width} must be at least 1, kernel_size={kernel_size} odd"
            )
        if positions not in ("learned", "sinusoidal", "none"):
            raise ValueError(f"positions={positions} is unknown; choose one of learned, sinusoidal, none")
        layers: list[nn.Module] = []
        for i in range(convolutions):
            outputs = dim if i == convolutions - 1 else width
            layer = nn.Conv2d(channels, outputs, kernel_size, padding=kernel_size // 2, bias=False)
            nn.init.kaiming_normal_(layer.weight)
            layers += [layer, nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)]
            channels, size = outputs, [(side + 1) // 2 for side in size]
        self.tokenizer = nn.Sequential(*layers)
        self.positions = Positions(positions, size[0] * size[1], dim)
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.blocks = TransformerStack(
            depth, dim, "pre", stochastic_depth, heads=heads, ff_dim=ff_dim, dropout=dropout, activation=activation,
            attention_dropout=attention_dropout,
        )  # fmt: skip
        self.pool = SequencePooling(dim)
        self.head = nn.Linear(dim, num_logits(num_classes, num_outputs))
        initialize(self.blocks, "glorot")
        initialize_normal(self.pool)
        initialize_normal(self.head)

    def forward(self, image: Tensor) -> Tensor:  # (B, C, H, W) -> (B, num_logits)
        tokens = self.tokenizer(image).flatten(2).transpose(1, 2)  # (B, T, dim), row by row
        return self.head(self.pool(self.blocks(self.dropout(self.positions(tokens)))))
