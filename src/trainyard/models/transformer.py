"""Transformer encoder (Vaswani et al., 2017) as a text classifier, with the article's layers."""

from torch import Tensor, nn

from trainyard.models.layers.checks import check_probability
from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.init import initialize, initialize_normal
from trainyard.models.layers.padding import left_aligned, masked_mean, token_mask
from trainyard.models.layers.positions import Positions
from trainyard.models.layers.transformer_block import EPSILON, TransformerStack


class Transformer(nn.Module):
    """Embedding and positions, dropout, `depth` blocks, the mean over tokens, dropout, a linear head.

    `embed_norm` adds a layer norm between positions and dropout, as in BERT. In the article each head is as wide as the
    embedding (head_dim = dim), there are no positions (`positions: none`), and tokens attend to padding too, which they
    never do here.
    """

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        num_classes: int | None,
        dim: int = 128,
        depth: int = 2,
        heads: int = 4,
        head_dim: int | None = None,
        ff_dim: int = 512,
        norm: str = "post",
        positions: str = "learned",
        activation: str = "relu",
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        embed_norm: bool = False,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.positions = Positions(positions, max_length, dim)
        self.norm = nn.LayerNorm(dim, EPSILON) if embed_norm else nn.Identity()
        self.dropout = nn.Dropout(check_probability("dropout", dropout))
        self.blocks = TransformerStack(
            depth, dim, norm, stochastic_depth, heads=heads, head_dim=head_dim, ff_dim=ff_dim, dropout=dropout,
            activation=activation, rotary=positions == "rotary", attention_dropout=attention_dropout,
        )  # fmt: skip
        self.head = nn.Linear(dim, num_logits(num_classes, num_outputs))
        initialize(self.blocks, "glorot")
        initialize_normal(self.embedding)
        initialize_normal(self.head)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, num_logits)
        tokens = left_aligned(tokens)
        mask = token_mask(tokens)
        x = self.norm(self.positions(self.embedding(tokens)))
        x = self.blocks(self.dropout(x), mask)
        return self.head(self.dropout(masked_mean(x, mask)))
