"""A precision-recall curve."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from trainyard.figures.style import COLORS, NEUTRAL, literal, panels
from trainyard.figures.words import drawable


def precision_recall(scores: Tensor, positive: Tensor, name: str) -> Figure:  # (N) probabilities, (N) bool
    """The precision over the recall of a class, as the threshold on its probability falls, and their mean (AP)."""
    recall, precision = curve(scores, positive)
    average = float((recall.diff(prepend=torch.zeros(1, dtype=recall.dtype)) * precision).sum())
    share = float(positive.double().mean())
    figure, (panel,) = panels(1, width=5.0, height=4.2)
    panel.step(recall.numpy(), precision.numpy(), where="pre", color=COLORS[0], label="precision")
    panel.axhline(share, color=NEUTRAL, linestyle="--", linewidth=1, label=f"chance, {share:.3f}")
    panel.set_xlim(0, 1.01)
    panel.set_ylim(0, 1.03)
    panel.set_xlabel("recall", fontsize=9)
    panel.set_ylabel("precision", fontsize=9)
    panel.set_title(literal(f"{drawable(name)}: average precision {average:.4f}"), fontsize=10)
    panel.legend(frameon=False, fontsize=8, labelcolor=NEUTRAL, loc="lower left")
    return figure


def curve(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    """Recall and precision at each value of the scores as a threshold, from the highest one on."""
    order = scores.argsort(descending=True)
    ranked, hits = scores[order], positive[order].double().cumsum(0)
    ends = torch.cat([(ranked.diff() != 0).nonzero().flatten(), torch.tensor([len(ranked) - 1])])
    return hits[ends] / hits[-1], hits[ends] / (ends + 1)
