"""Find the tokens that a small language model has replaced (Clark et al., 2020)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

from trainyard.models.layers.padding import PADDING
from trainyard.tasks.base import Scored, Task
from trainyard.tasks.language import IGNORE
from trainyard.tasks.token_losses import token_losses

SPECIAL = 5  # tokens such as [PAD] and [MASK], the first ones, which replace no other
THRESHOLDS = 500  # of the receiver operating characteristic


class ReplacedTokenDetection(Task):
    """A network with `fill`, a generator's logits at the masked tokens, which returns a logit for each token (B, T).

    The generator learns to predict the masked tokens. A sample of its predictions is put in their place, and the
    network learns to tell the tokens that are others now from all the rest, which counts `discriminator_weight` times.
    No gradient flows through the sample. Logged: loss (the weighted sum), generator_loss (nats per masked token),
    accuracy and auroc of the detection. The generator's part of the loss is a mean over the masked tokens of a batch,
    but counts by all its tokens: between batches (accumulated, of several processes) it is a nearly exact mean.
    """

    def __init__(self, discriminator_weight: float = 50.0, **common: Any) -> None:
        if discriminator_weight <= 0:
            raise ValueError(f"discriminator_weight={discriminator_weight} must be positive")
        net = common["net"]
        if not hasattr(net, "fill"):
            raise ValueError(f"ReplacedTokenDetection needs a generator (model=electra), not {type(net).__name__}")
        super().__init__(**common)
        self.discriminator_weight = discriminator_weight

    def metrics(self, stage: str) -> dict[str, Metric]:
        metrics: dict[str, Metric] = {
            "generator_loss": MeanMetric(nan_strategy="disable"),
            "accuracy": BinaryAccuracy(validate_args=False),
        }
        if stage != "train":
            metrics["auroc"] = BinaryAUROC(thresholds=THRESHOLDS, validate_args=False)
        return metrics

    def postprocess(self, outputs: Tensor) -> Tensor:  # (B, T), the same
        """The probability that each token was replaced."""
        return outputs.sigmoid()

    def score(self, batch: tuple[Tensor, Tensor, Tensor]) -> Scored:
        if len(batch) != 3:
            raise ValueError("ReplacedTokenDetection needs tokens, targets and draws (data=imdb_rtd)")
        tokens, targets, draws = batch
        net: Any = self.net
        masked = targets != IGNORE
        logits = net.fill(tokens, masked).float()  # (N, vocab_size)
        losses = token_losses(logits, targets[masked])
        original = torch.where(masked, targets, tokens)
        corrupted = original.masked_scatter(masked, sample(logits.detach(), draws[masked]))
        is_text = original != PADDING
        replaced = (corrupted != original)[is_text]
        detected = net(corrupted)[is_text].float()
        detection = F.binary_cross_entropy_with_logits(detected, replaced.float(), reduction="sum")
        loss = losses.sum() / max(1, len(losses)) + self.discriminator_weight * detection / max(1, len(replaced))
        return Scored(loss, len(replaced), detected.sigmoid(), replaced.long(), {"generator_loss": losses})


def sample(logits: Tensor, draws: Tensor) -> Tensor:  # (N, vocab_size), (N) in [0, 1) -> (N)
    """A token for each row, none of them special: where its draw falls in the cumulative distribution."""
    scores = logits.clone()
    scores[:, :SPECIAL] = -torch.inf
    cumulative = scores.softmax(dim=-1).cumsum(dim=-1)
    tokens = torch.searchsorted(cumulative, draws[:, None] * cumulative[:, -1:], right=True).squeeze(1)
    return tokens.clamp(SPECIAL, logits.shape[1] - 1)  # where a rounded sum is exceeded
