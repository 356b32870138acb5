"""A reliability diagram (DeGroot & Fienberg, 1983): how often predictions of a given confidence are right."""

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor


def reliability(confidence: Tensor, accuracy: Tensor, count: Tensor, error: float) -> Figure:  # (bins) each
    """The accuracy in each bin of confidence above the share of the samples in it; on the diagonal both are equal."""
    figure = Figure(figsize=(5, 5.6), facecolor="white")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.09, top=0.94, hspace=0.08)
    bins = len(count)
    centers = (np.arange(bins) + 0.5) / bins
    filled = (count > 0).numpy()
    axes.plot((0, 1), (0, 1), "--", color="0.5", label="calibrated")
    axes.bar(centers, np.where(filled, accuracy.numpy(), 0), 1 / bins, color="C0", edgecolor="white", label="accuracy")
    axes.plot(confidence.numpy()[filled], accuracy.numpy()[filled], ".", color="C1", label="mean confidence of the bin")
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1)
    axes.set_title(f"expected calibration error {error:.4f} ({bins} bins)", fontsize="medium")
    axes.legend(frameon=False, loc="upper left")
    below.bar(centers, (count / count.sum().clamp(min=1)).numpy(), 1 / bins, color="0.6", edgecolor="white")
    below.set_xlabel("probability of the predicted class")
    below.set_ylabel("share")
    below.set_xlim(0, 1)
    return figure
