"""An input on its way through the network, and what it is without some of its parts."""

from typing import NamedTuple

from torch import Tensor, nn

from trainyard.data.loading.tokens import PAD
from trainyard.explain.scores import Scores, class_scores
from trainyard.explain.words import Words


class Subject(NamedTuple):
    """An input, as its network takes it. Its parts are pixels, words or numbers."""

    net: nn.Module
    inputs: Tensor  # (1, ...)
    words: Words | None = None  # of a text
    position: int | None = None  # the token that a language model predicts from
    stored: Tensor | None = None  # an image or numbers, as the data stores them

    def scores(self) -> Scores:
        """The score of each class."""
        return class_scores(self.net, self.position)

    def without(self, kept: Tensor) -> Tensor:  # (B, parts) bool -> (B, ...)
        """The input with all but the kept parts deleted: words left out, pixels and numbers set to zero.

        After normalization zero is the mean color. The token that a language model predicts from is always kept.
        """
        if self.words is not None:
            kept = kept[:, self.words.of_token.to(kept.device)]
            if self.position is not None:
                kept[:, self.position] = True
            return self.inputs.where(kept, PAD)
        shape = self.inputs.shape[1:]
        mask = kept.view(-1, 1, *shape[1:]) if len(shape) == 3 else kept.view(-1, *shape)
        return self.inputs.where(mask, 0)
