import numpy as np
import torch

from trainyard.figures.boundary import boundary


def test_the_line_is_where_the_network_changes_its_mind() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    figure = boundary(lambda x: torch.sigmoid(10 * (x[:, 0] - 0.25)), points, torch.tensor([0, 1]))
    panel = figure.axes[0]
    mesh, contour, *_ = panel.collections
    (line,) = [path for path in contour.get_paths() if len(path.vertices)]
    np.testing.assert_allclose(line.vertices[:, 0], 0.25, atol=0.01)
    assert mesh.get_array().min() < 0.01 and mesh.get_array().max() > 0.99
    np.testing.assert_allclose(panel.get_xlim(), (-0.5, 1.5), atol=0.01)


def test_a_network_without_a_boundary_has_no_line() -> None:
    figure = boundary(lambda x: torch.full((len(x),), 0.1), torch.rand(4, 2), torch.tensor([0, 1, 0, 1]))
    assert len(figure.axes[0].collections) == 3  # the mesh and two groups of points
