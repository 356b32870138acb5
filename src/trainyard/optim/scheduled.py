"""An optimizer with a schedule, and perhaps a warm-up before it."""

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from trainyard.optim.signature import is_stepped_every_batch
from trainyard.optim.warmup import WarmedUp


def scheduled(
    optimizer: Callable[..., Optimizer],
    groups: list[dict[str, Any]],
    schedule: Callable[..., Any],
    total_steps: int,
    warmup_steps: int = 0,
    asked: str = "",
) -> tuple[Optimizer, dict[str, Any]]:
    """The optimizer of these groups, each with `lr_scale` times its learning rate; and for Lightning the schedule, when
    it is stepped, and whether it wants a score. ValueError where it undoes the scales that were `asked` for.
    """
    made = optimizer(groups)
    scales = [group.pop("lr_scale", 1.0) for group in made.param_groups]
    for group, scale in zip(made.param_groups, scales, strict=True):
        group["lr"] *= scale
    every_batch = is_stepped_every_batch(schedule)
    rates = schedule(made, **({"total_steps": total_steps - warmup_steps} if every_batch else {}))
    if len(set(scales)) > 1 and len({group["lr"] for group in made.param_groups} - {0}) == 1:
        raise ValueError(
            f"this schedule sets one learning rate for all weights, which contradicts {asked}; use another schedule, "
            "or set that to 1"
        )
    is_plateau = isinstance(rates, ReduceLROnPlateau)
    if warmup_steps:
        rates = WarmedUp(rates, warmup_steps, waits=every_batch)
    return made, {
        "scheduler": rates, "interval": "step" if every_batch else "epoch", "reduce_on_plateau": is_plateau,
    }  # fmt: skip
