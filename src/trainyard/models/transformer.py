"""Transformer encoder as a classifier of texts (Vaswani et al., 2017), as the article builds it."""

from torch import Tensor, nn

from trainyard.models.block import EPSILON, Blocks
from trainyard.models.checks import probability
from trainyard.models.heads import num_logits
from trainyard.models.init import initialize, initialize_normal
from trainyard.models.padding import left_aligned, masked_mean, visible
from trainyard.models.positions import Positions


class Transformer(nn.Module):
    """Embedding and positions, dropout, `depth` blocks, the mean over tokens, dropout, a linear head.

    `embed_norm` sets a layer norm between positions and dropout, as BERT has. The article's heads are each as wide as
    the embedding (head_dim = dim); it has no positions and lets texts look at their padding, here `positions: none`
    does the first and nothing the second.
    """

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        num_classes: int,
        dim: int = 128,
        depth: int = 2,
        heads: int = 4,
        head_dim: int | None = None,
        ff_dim: int = 512,
        norm: str = "post",
        positions: str = "learned",
        activation: str = "relu",
        dropout: float = 0.1,
        stochastic_depth: float = 0.0,
        embed_norm: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.positions = Positions(positions, max_length, dim)
        self.norm = nn.LayerNorm(dim, EPSILON) if embed_norm else nn.Identity()
        self.dropout = nn.Dropout(probability("dropout", dropout))
        self.blocks = Blocks(
            depth, dim, norm, stochastic_depth, heads=heads, head_dim=head_dim, ff_dim=ff_dim, dropout=dropout,
            activation=activation, rotary=positions == "rotary",
        )  # fmt: skip
        self.head = nn.Linear(dim, num_logits(num_classes))
        initialize(self.blocks, "glorot")
        initialize_normal(self.embedding)
        initialize_normal(self.head)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, num_logits)
        tokens = left_aligned(tokens)
        mask = visible(tokens)
        x = self.norm(self.positions(self.embedding(tokens)))
        x = self.blocks(self.dropout(x), mask)
        return self.head(self.dropout(masked_mean(x, mask)))
