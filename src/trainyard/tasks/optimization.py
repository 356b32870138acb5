"""What a task gives its optimizer, and the optimizer with its schedule as Lightning takes them."""

from typing import TYPE_CHECKING, Any

from trainyard.optim.groups import decay_groups
from trainyard.optim.layers import has_embedding
from trainyard.optim.scheduled import scheduled
from trainyard.optim.signature import splits_hidden
from trainyard.tasks.head import head_parts

if TYPE_CHECKING:
    from trainyard.tasks.base import Task


def parameter_groups(task: "Task") -> list[dict[str, Any]]:
    """The groups of the network's weights, and, without weight decay, of those that the task itself has."""
    splits, head = splits_hidden(task.optimizer), ()
    try:
        head = head_parts(task) if splits or task.backbone_lr_scale != 1 else ()
    except ValueError:
        if task.backbone_lr_scale != 1 or not has_embedding(task.net):  # else that decodes as well
            raise
    groups = decay_groups(task.net, task.backbone_lr_scale, task.layer_decay, splits, head)
    if own := [weight for weight in task.parameters(recurse=False) if weight.requires_grad]:
        groups.append({"name": "task", "params": own, "weight_decay": 0.0, **({"kind": "adamw"} if splits else {})})
    return groups


def optimizer_and_schedule(task: "Task", total_steps: int, warmup_steps: int) -> dict[str, Any]:
    """Both for a run of that length; ValueError for a schedule that undoes the rates of the network's parts."""
    key = "layer_decay" if task.layer_decay != 1 else "backbone_lr_scale"
    optimizer, found = scheduled(
        task.optimizer, task.parameter_groups(), task.scheduler, total_steps, warmup_steps,
        asked=f"task.{key}={getattr(task, key)}",
    )  # fmt: skip
    return {"optimizer": optimizer, "lr_scheduler": {**found, "monitor": task.monitor, "name": "lr"}}
