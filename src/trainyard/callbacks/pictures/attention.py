"""What the attention heads attend to, in one validation sample that is always the same."""

from trainyard.callbacks.pictures.scene import Drawn, Scene
from trainyard.explain.attention_figure import attention_figure
from trainyard.tasks.base import Task


def attention_of(scene: Scene) -> Drawn:
    """Heads of some blocks, of a network that has attention."""
    if not scene.can_call or not isinstance(scene.task, Task):
        return None
    with scene.calling():
        return attention_figure(scene.task, scene.data)
