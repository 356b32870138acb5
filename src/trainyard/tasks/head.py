"""The head of a task's network."""

from typing import Any

from trainyard.optim.head import find_head


def head_parts(task: Any) -> tuple[str, ...]:
    """The names of the modules that are the head, mostly one; ValueError if that is not clear (task.head names it)."""
    outputs = getattr(task, "num_classes", None) or getattr(task, "num_outputs", None)
    return find_head(task.net, task.head_name, outputs)
