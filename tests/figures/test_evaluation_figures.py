import pytest
import torch

from trainyard.figures.confusion import confusion, worst_classes
from trainyard.figures.mistakes import Mistake, image_mistakes, text_mistakes
from trainyard.figures.precision_recall import curve, precision_recall
from trainyard.figures.reliability import reliability


def test_a_confusion_matrix_names_classes_and_counts() -> None:
    axes = confusion(torch.tensor([[8, 2], [0, 5]]), ["a $x$", "b" * 30]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["8", "2", "5"]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [r"a \$x\$  80 %", f"{'b' * 19}\N{HORIZONTAL ELLIPSIS}  100 %"]
    assert axes.images[0].get_array().tolist() == [[0.8, 0.2], [0.0, 1.0]]  # pyright: ignore
    assert not confusion(torch.eye(100), [str(i) for i in range(100)]).axes[0].texts


def test_a_reliability_diagram_has_a_bar_for_each_bin_with_samples() -> None:
    count = torch.tensor([0, 10, 30])
    figure = reliability(torch.tensor([0, 0.5, 0.9]), torch.tensor([0, 0.4, 0.8]), count, 0.1)
    above, below = figure.axes
    assert [round(bar.get_height(), 4) for bar in above.patches] == [0, 0.4, 0.8]  # pyright: ignore
    assert [bar.get_height() for bar in below.patches] == [0, 0.25, 0.75]  # pyright: ignore
    assert "0.1000 (3 bins)" in above.get_title()


def test_of_a_thousand_classes_the_worst_are_named() -> None:
    matrix = 10 * torch.eye(1000, dtype=torch.long)
    matrix[7], matrix[3, 3], matrix[3, 5] = 0, 2, 8  # of class 7 there is no sample; 8 of 10 of class 3 are class 5
    axes = worst_classes(matrix, [f"class {i}" for i in range(1000)]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["class 3", "class 0"]
    assert [round(bar.get_width(), 2) for bar in axes.patches][:2] == [0.2, 1] and len(axes.patches) == 25  # pyright: ignore
    assert [text.get_text() for text in axes.texts] == ["80 % taken for class 5"]


def test_precision_and_recall_at_each_threshold() -> None:
    """Scores that are equal are one threshold."""
    scores, positive = torch.tensor([0.9, 0.8, 0.8, 0.3, 0.1, 0.1]), torch.tensor([1, 0, 1, 0, 1, 0]) == 1
    recall, precision = curve(scores, positive)
    assert recall.tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1])
    assert precision.tolist() == pytest.approx([1, 2 / 3, 1 / 2, 1 / 2])
    title = precision_recall(scores, positive, "$_x").axes[0].get_title()
    assert title == rf"\$_x: average precision {(1 + 2 / 3 + 1 / 2) / 3:.4f}"


def test_mistakes_show_each_sample_with_prediction_and_label() -> None:
    mistakes = [Mistake("cat", "dog $x", 0.987), Mistake("dog", "c" * 30, 0.5)]
    figure = image_mistakes(torch.rand(2, 3, 8, 8), mistakes, "two")
    assert len(figure.axes[0].images) == 2
    assert [text.get_text() for text in figure.axes[0].texts][:2] == ["dog $x 98.7 %", "label: cat"]
    shown = text_mistakes(["word " * 500, "short <b>"], mistakes, "two").texts
    assert [text.get_text() for text in shown][3:] == [
        "c" * 17 + "\N{HORIZONTAL ELLIPSIS} 50.0 %, label: dog",
        "short <b>",
    ]
    assert len(shown[2].get_text().splitlines()) == 2 and shown[2].get_text().endswith(" ...")
