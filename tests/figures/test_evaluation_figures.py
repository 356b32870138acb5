import torch

from trainyard.figures.confusion import confusion
from trainyard.figures.reliability import reliability


def test_a_confusion_matrix_names_classes_and_counts() -> None:
    axes = confusion(torch.tensor([[8, 2], [0, 5]]), ["a $x$", "b" * 30]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["8", "2", "5"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [r"a \$x\$", f"{'b' * 20}..."]
    assert axes.images[0].get_array().tolist() == [[0.8, 0.2], [0.0, 1.0]]  # pyright: ignore
    assert not confusion(torch.eye(100), [str(i) for i in range(100)]).axes[0].texts


def test_a_reliability_diagram_has_a_bar_for_each_bin_with_samples() -> None:
    count = torch.tensor([0, 10, 30])
    figure = reliability(torch.tensor([0, 0.5, 0.9]), torch.tensor([0, 0.4, 0.8]), count, 0.1)
    above, below = figure.axes
    assert [round(bar.get_height(), 4) for bar in above.patches] == [0, 0.4, 0.8]  # pyright: ignore
    assert [bar.get_height() for bar in below.patches] == [0, 0.25, 0.75]  # pyright: ignore
    assert "0.1000 (3 bins)" in above.get_title()
