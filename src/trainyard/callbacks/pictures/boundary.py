"""The decision boundary of a network that classifies points in the plane, kept as numbers while it moves."""

from typing import NamedTuple

from torch import Tensor

from trainyard.callbacks.pictures.scene import Scene
from trainyard.data.base import DataModule
from trainyard.figures.plane import probabilities
from trainyard.inference.predict import network_inputs

CELLS = 96  # of the grid in each direction
MOST_POINTS, MOST_LEVELS = 200, 24


class Level(NamedTuple):
    """The probability of class 1 in the plane at a step."""

    step: int
    level: Tensor  # (CELLS, CELLS), rows: y, upwards


def keep_boundary(scene: Scene) -> None:
    """Compute the boundary, in milliseconds and without matplotlib, so that also a run of seconds has several of them.

    Where there would be too many, every second one is forgotten.
    """
    if (found := points_of(scene)) is None:
        return
    points, _ = found
    level = probabilities(lambda grid: chances(scene, grid), points, CELLS)
    levels = levels_of(scene)
    if len(levels) == MOST_LEVELS:
        del levels[1::2]
    levels.append(Level(scene.trainer.global_step, level))


def levels_of(scene: Scene) -> list[Level]:
    """The boundaries that were kept so far."""
    return scene.memory.setdefault("levels", [])


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
        inputs = network_inputs(net, scene.data, points, scene.task.device)
        return scene.task.postprocess(net(inputs))[:, 1].float().cpu()  # pyright: ignore
