"""A confusion matrix."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

NAMED, NUMBERED = 40, 16  # up to so many classes are named, and have their numbers in the cells


def confusion(matrix: Tensor, names: Sequence[str]) -> Figure:  # (classes, classes): label, prediction
    """The share of each class (row) that was taken for each class (column), with the number of samples in each cell."""
    count = len(names)
    side = min(12.0, 2.5 + 0.55 * count)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    shares = matrix.double() / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    image = axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the class", fraction=0.046, pad=0.04)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    if count <= NAMED:
        axes.set_xticks(range(count), [_short(name) for name in names], rotation=45, ha="right")
        axes.set_yticks(range(count), [_short(name) for name in names])
    if count <= NUMBERED:
        for row, column in matrix.nonzero().tolist():
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(int(matrix[row, column])), ha="center", va="center", color=color, fontsize=8)
    return figure


def _short(name: str, most: int = 20) -> str:
    name = name.replace("$", r"\$")  # which matplotlib would take for mathematics
    return name if len(name) <= most else f"{name[:most]}..."
