"""What a task gives its optimizer, and the optimizer with its schedule as Lightning takes them."""

from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from trainyard.optim.groups import decay_groups
from trainyard.optim.layers import has_embedding
from trainyard.optim.signature import is_stepped_every_batch, splits_hidden
from trainyard.optim.warmup import WarmedUp
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
    groups = decay_groups(task.net, task.backbone_lr_scale, task.layer_decay, splits, head, task.norm_lr_scale)
    if own := [weight for weight in task.parameters(recurse=False) if weight.requires_grad]:
        groups.append({"name": "task", "params": own, "weight_decay": 0.0, **({"kind": "adamw"} if splits else {})})
    return groups


def optimizer_and_schedule(task: "Task", total_steps: int, warmup_steps: int) -> dict[str, Any]:
    """Both for a run of that length; ValueError for a schedule that undoes the rates of the network's parts."""
    optimizer = task.optimizer(task.parameter_groups())
    scales = [group.pop("lr_scale", 1.0) for group in optimizer.param_groups]
    for group, scale in zip(optimizer.param_groups, scales, strict=True):
        group["lr"] *= scale
        if decay_scale := group.pop("decay_scale", None):
            group["weight_decay"] = group.get("weight_decay", 0.0) * decay_scale
    every_batch = is_stepped_every_batch(task.scheduler)
    scheduler = task.scheduler(optimizer, **({"total_steps": total_steps - warmup_steps} if every_batch else {}))
    if len(set(scales)) > 1 and len({group["lr"] for group in optimizer.param_groups} - {0}) == 1:
        key = next(key for key in ("layer_decay", "backbone_lr_scale", "norm_lr_scale") if getattr(task, key) != 1)
        raise ValueError(
            f"this schedule sets one learning rate for all weights, which contradicts task.{key}={getattr(task, key)}; "
            "use another schedule, or set that to 1"
        )
    shown: dict[str, Any] = {"interval": "step" if every_batch else "epoch", "monitor": task.monitor, "name": "lr"}
    shown["reduce_on_plateau"] = isinstance(scheduler, ReduceLROnPlateau)
    if warmup_steps:
        scheduler = WarmedUp(scheduler, warmup_steps, waits=every_batch)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, **shown}}


def check_scales(backbone_lr_scale: float, layer_decay: float, norm_lr_scale: float) -> None:
    """Raise ValueError for what scales no learning rate."""
    if backbone_lr_scale <= 0:
        raise ValueError(
            f"task.backbone_lr_scale={backbone_lr_scale} must be positive; callbacks=finetune freezes the backbone"
        )
    if not 0 < layer_decay <= 1:
        raise ValueError(f"task.layer_decay={layer_decay} must be in (0, 1]; 1 is the same rate for all layers")
    if norm_lr_scale <= 0:
        raise ValueError(f"task.norm_lr_scale={norm_lr_scale} must be positive; 1 is the same rate for all weights")
