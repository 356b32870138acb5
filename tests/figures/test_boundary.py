import numpy as np
import torch

from trainyard.figures.boundary import SCALE, boundaries, boundary, boundary_frame, boundary_over_time


def test_the_line_is_where_the_network_changes_its_mind() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    figure = boundary(lambda x: torch.sigmoid(10 * (x[:, 0] - 0.25)), points, torch.tensor([0, 1]))
    panel = figure.axes[0]
    mesh, contour = panel.images[0], panel.collections[0]
    (line,) = [path for path in contour.get_paths() if len(path.vertices)]
    np.testing.assert_allclose(line.vertices[:, 0], 0.25, atol=0.01)
    assert mesh.get_array().min() < 0.01 and mesh.get_array().max() > 0.99
    np.testing.assert_allclose(panel.get_xlim(), (-0.5, 1.5), atol=0.01)


def test_a_network_without_a_boundary_has_no_line() -> None:
    figure = boundary(lambda x: torch.full((len(x),), 0.1), torch.rand(4, 2), torch.tensor([0, 1, 0, 1]))
    assert len(figure.axes[0].collections) == 2  # two groups of points


def test_beside_each_other_wrong_points_are_crossed_out() -> None:
    """A line at x = 0.25 has two of four points on its wrong side, one at 2 all of class 1."""
    points, labels = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 1, 1, 0])
    planes = {
        f"x = {place}": (lambda x, place=place: torch.sigmoid(10 * (x[:, 0] - place)), points, labels)
        for place in (0.25, 2.0)
    }
    figure = boundaries(planes)
    assert [panel.get_title() for panel in figure.axes] == ["x = 0.25", "x = 2.0"]
    for panel, wrong in zip(figure.axes, ([[0, 1], [1, 0]], [[1, 1], [0, 1]]), strict=True):
        np.testing.assert_allclose(panel.collections[-1].get_offsets(), wrong)


def test_a_frame_shows_the_sides_the_line_and_the_points() -> None:
    """Class 1 is above 0.5 on the y axis; its point is in the upper right corner."""
    points, labels = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1])
    level = torch.linspace(0, 1, 40)[:, None].expand(40, 40)
    frame = boundary_frame(level, points, labels)
    side = 40 * SCALE
    assert frame.shape == (3, side, side) and frame.min() >= 0 and frame.max() <= 1
    red, _, blue = frame[:, side // 20, side // 2]
    assert red > blue and frame[0, -side // 20, side // 2] < frame[2, -side // 20, side // 2]
    assert (frame[:, side // 2 - 2 : side // 2 + 2, 3] == 0.2).any()
    corner = frame[:, side // 4 - 8 : side // 4 + 8, side - side // 4 - 8 : side - side // 4 + 8]
    assert (corner == 1).all(0).any() and not (frame[:, : side // 2, : side // 2] == 1).all(0).any()
    panels = boundary_over_time([(1, frame), (2000, frame)]).axes[:2]
    assert [panel.get_title() for panel in panels] == ["step 1", "step 2,000"]
