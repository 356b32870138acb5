"""The decision boundary of a network that classifies points in the plane, as it moves."""

from typing import Any

from torch import Tensor

from trainyard.callbacks.pictures.scene import Drawn, Scene
from trainyard.data.base import DataModule
from trainyard.figures.boundary import boundary, boundary_frame, boundary_over_time
from trainyard.tasks.base import weight_dtype

MOST_POINTS, MOST_FRAMES = 500, 8
FRAMES = "boundary"  # in the memory


def slider_of(scene: Scene) -> Drawn:
    """The boundary in few pixels, drawn in milliseconds, so that there are many to look through."""
    if (found := points_of(scene)) is None:
        return None
    frame = boundary_frame(lambda points: chances(scene, points), *found)
    remember(scene.memory.setdefault(FRAMES, []), (scene.trainer.global_step, frame))
    return frame


def boundary_of(scene: Scene) -> Drawn:
    """The boundary with its axes."""
    found = points_of(scene)
    return None if found is None else boundary(lambda points: chances(scene, points), *found)


def over_time(scene: Scene) -> Drawn:
    """Up to eight boundaries of the training, beside each other."""
    frames = scene.memory.get(FRAMES, [])
    return boundary_over_time(frames) if len(frames) > 1 else None


def remember(frames: list[Any], frame: Any) -> None:
    """Keep a frame; where there would be too many, every second one of the others is forgotten."""
    if len(frames) == MOST_FRAMES:
        del frames[1::2]
    frames.append(frame)


def points_of(scene: Scene) -> tuple[Tensor, Tensor] | None:
    """Validation samples and their labels, if they are points in the plane of two classes."""
    if not isinstance(scene.data, DataModule) or len(scene.classes) != 2 or not scene.can_call:
        return None
    samples = scene.data.splits["val"]
    if not isinstance(samples.inputs, Tensor) or samples.inputs.shape[1:] != (2,):
        return None
    rows = samples.rows[:MOST_POINTS]
    return samples.inputs[rows], samples.all_labels[rows]


def chances(scene: Scene, points: Tensor) -> Tensor:  # (N, 2) -> (N)
    """The probability of class 1."""
    with scene.calling() as net:
        inputs = scene.data.transform(points.to(scene.task.device), None).to(weight_dtype(net))
        return scene.task.postprocess(net(inputs))[:, 1].float().cpu()  # pyright: ignore
