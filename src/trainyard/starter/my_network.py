"""A network of my own: two hidden layers. conf/model/mine.yaml has its arguments."""

from torch import Tensor, nn


class MyNetwork(nn.Module):
    """Flatten, two hidden layers of `width` units, a linear head with one logit per class."""

    def __init__(self, features: int, num_classes: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (B, *shape) -> (B, num_classes)
        """The logits of a batch."""
        return self.head(self.body(x))
