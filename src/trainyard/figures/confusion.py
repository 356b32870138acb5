"""A confusion matrix; of more classes than can be read, those that are predicted worst."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from trainyard.figures.words import drawable

NAMED, NUMBERED = 40, 16  # up to so many classes are named, and have their numbers in the cells


def confusion(matrix: Tensor, names: Sequence[str]) -> Figure:  # (classes, classes): label, prediction
    """The share of each class (row) that was taken for each class (column), with the number of samples in each cell.

    Beside the name of a class is its accuracy.
    """
    count = len(names)
    side = min(9.5, max(2.8, 0.55 * count))  # inches
    label = 0.085 * max(len(_short(name)) for name in names) if count <= NAMED else 0.2
    left, below, right, above = label + 1.3, 0.71 * label + 0.7, 1.2, 0.4  # a layout engine would draw all twice
    width, height = left + side + right, below + side + above
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((left / width, below / height, side / width, side / height))
    shares = matrix.double() / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    image = axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    bar = figure.add_axes(((left + side + 0.15) / width, below / height, 0.2 / width, side / height))
    figure.colorbar(image, cax=bar, label="share of the class")
    axes.set_xlabel("prediction")
    axes.set_ylabel("label, and its accuracy")
    if count <= NAMED:
        axes.set_xticks(range(count), [_short(name) for name in names], rotation=45, ha="right")
        right = [f"{100 * share:.0f} %" if has else "none" for share, has in
                 zip(shares.diagonal().tolist(), matrix.sum(dim=1).tolist(), strict=True)]  # fmt: skip
        axes.set_yticks(range(count), [f"{_short(name)}  {share}" for name, share in zip(names, right, strict=True)])
    if count <= NUMBERED:
        for row, column in matrix.nonzero().tolist():
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(int(matrix[row, column])), ha="center", va="center", color=color, fontsize=8)
    return figure


def worst_classes(matrix: Tensor, names: Sequence[str], most: int = 25) -> Figure:  # (classes, classes)
    """The accuracy of the classes that are predicted worst, and what each of them is taken for most often."""
    count = matrix.sum(dim=1)
    accuracy = matrix.diagonal().double() / count.clamp(min=1)
    rows = accuracy.masked_fill(count == 0, 2).argsort(stable=True)[: min(most, int((count > 0).sum()))]
    figure = Figure(figsize=(7.5, 1.2 + 0.24 * len(rows)), layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.barh(range(len(rows)), accuracy[rows].numpy(), color="#4c8dd6", height=0.75)
    axes.set_yticks(range(len(rows)), [_short(names[int(row)]) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(
        f"accuracy of the {len(rows)} worst of {len(names):,} classes; mean {float(accuracy[count > 0].mean()):.3f}"
    )
    others = matrix - matrix.diagonal().diag()
    for place, row in enumerate(rows.tolist()):
        if int(others[row].sum()):
            other = int(others[row].argmax())
            text = f"{100 * float(others[row, other]) / int(count[row]):.0f} % taken for {_short(names[other])}"
            axes.text(min(float(accuracy[row]), 0.55) + 0.01, place, text, va="center", fontsize=7, color="black")
    return figure


def _short(name: str, most: int = 20) -> str:
    return drawable(name, most).replace("$", r"\$")  # which matplotlib would take for mathematics
