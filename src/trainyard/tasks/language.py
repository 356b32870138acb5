"""Language models: the loss of the tokens that have a target; no other token is decoded."""

from typing import Any

from torch import Tensor
from torchmetrics import MeanMetric, Metric

from trainyard.tasks.base import Scored, Task
from trainyard.tasks.token_losses import token_losses

IGNORE = -100  # the target of a token that does not count


class Perplexity(MeanMetric):
    """The exponential of the mean loss of a token (in nats)."""

    def __init__(self) -> None:
        super().__init__(nan_strategy="disable")

    def update(self, value: Tensor, targets: Tensor) -> None:  # (N), (N)
        super().update(value)

    def compute(self) -> Tensor:
        return super().compute().exp()


class LanguageModel(Task):
    """A network that takes tokens (B, T) and `target_positions` (B, T), and returns their logits (N, vocab_size).

    Logged in each stage: loss (nats per token) and perplexity.
    """

    causal: bool  # whether the network must be causal

    def __init__(self, **common: Any) -> None:
        net = common["net"]
        if getattr(net, "causal", None) is not self.causal:
            needed = "causal language model (model=gpt)" if self.causal else "bidirectional language model (model=bert)"
            raise ValueError(f"{type(self).__name__} needs a {needed}, not {type(net).__name__}")
        super().__init__(**common)

    def metrics(self, stage: str) -> dict[str, Metric]:
        return {"perplexity": Perplexity()}

    def postprocess(self, outputs: Tensor) -> Tensor:  # (B, T, vocab_size), the same
        """The probability of each token."""
        return outputs.softmax(dim=-1)

    def score(self, batch: tuple[Tensor, Tensor]) -> Scored:
        tokens, targets = batch
        positions = targets != IGNORE
        known = targets[positions]  # (N)
        logits = self.net(tokens, target_positions=positions)  # (N, vocab_size)
        losses = token_losses(logits, known)
        loss = losses.sum() / max(1, len(known))
        return Scored(loss, len(known), losses, known)
