"""Vision Transformer (Dosovitskiy et al., 2020): an image as a sequence of patches."""

import torch
from torch import Tensor, nn

from trainyard.models.layers.checks import check_image_shape, check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize, initialize_normal
from trainyard.models.layers.positions import Positions
from trainyard.models.layers.transformer_block import TransformerStack


class ViT(nn.Module):
    """A linear projection of each patch, a learned class token and positions, `depth` pre-norm blocks, a linear head.

    The head reads the class token.
    """

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        patch_size: int = 4,
        dim: int = 128,
        depth: int = 6,
        heads: int = 4,
        ff_dim: int = 512,
        activation: str = "gelu",
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = check_image_shape("the ViT", shape)
        if patch_size < 1 or height % patch_size or width % patch_size:
            raise ValueError(f"patch_size={patch_size} must divide height and width of shape={list(shape)}")
        patches = (height // patch_size) * (width // patch_size)
        self.patches = nn.Conv2d(channels, dim, patch_size, stride=patch_size)  # one projection for all patches
        self.class_token = nn.Parameter(torch.empty(dim))
        self.positions = Positions("learned", 1 + patches, dim)
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.blocks = TransformerStack(
            depth, dim, "pre", stochastic_depth, heads=heads, ff_dim=ff_dim, dropout=dropout, activation=activation,
            attention_dropout=attention_dropout,
        )  # fmt: skip
        self.head = nn.Linear(dim, num_logits(num_classes, num_outputs))
        initialize(self.blocks, "glorot")
        initialize_normal(self.head)
        nn.init.normal_(self.class_token, std=0.02)

    def forward(self, image: Tensor) -> Tensor:  # (B, C, H, W) -> (B, num_logits)
        patches = self.patches(image).flatten(2).transpose(1, 2)  # (B, patches, dim), row by row
        x = torch.cat([self.class_token.expand(image.shape[0], 1, -1), patches], dim=1)
        return self.head(self.blocks(self.dropout(self.positions(x)))[:, 0])
