"""The decision boundary as pictures: with its axes, as frames to slide through, and as a row of frames."""

from trainyard.callbacks.pictures.album import put
from trainyard.callbacks.pictures.boundary import chances, levels_of, points_of
from trainyard.callbacks.pictures.scene import Drawn, Scene
from trainyard.figures.boundary import boundary, boundary_frame, boundary_over_time

SHOWN = 8  # frames of the row


def boundary_of(scene: Scene) -> Drawn:
    """The boundary with its axes."""
    found = points_of(scene)
    return None if found is None else boundary(lambda points: chances(scene, points), *found)


def slider_of(scene: Scene) -> None:
    """Each boundary that was kept, at its step in TensorBoard."""
    found, levels = points_of(scene), levels_of(scene)
    if found is not None and len(levels) > 1:
        for step, level in levels:
            put(scene, "network/boundary_slider", boundary_frame(level, *found), step, with_file=False)


def over_time(scene: Scene) -> Drawn:
    """Up to eight of the boundaries that were kept, beside each other; early ones are closer to each other."""
    found, levels = points_of(scene), levels_of(scene)
    if found is None or len(levels) < 2:
        return None
    chosen = sorted({round(place * (len(levels) - 1) / (SHOWN - 1)) for place in range(SHOWN)})
    return boundary_over_time([(levels[i].step, boundary_frame(levels[i].level, *found)) for i in chosen])
