import torch
from torch import nn

from trainyard.figures.activations import curves


def test_a_panel_for_each_function_with_its_true_derivative() -> None:
    figure = curves({"tanh": nn.Tanh(), "relu": nn.ReLU(), "square": lambda x: x * x, "swish": nn.SiLU()})
    shown = [panel for panel in figure.axes if panel.get_visible()]
    assert [panel.get_title() for panel in shown] == ["tanh", "relu", "square", "swish"]
    x, slope = shown[2].get_lines()[-1].get_data()
    torch.testing.assert_close(torch.tensor(slope), 2 * torch.tensor(x))
