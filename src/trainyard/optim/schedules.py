"""Learning-rate schedules that scale the learning rate of each of the optimizer's parameter groups."""

from math import cos, exp, pi

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR


def cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.05) -> LambdaLR:
    """Rise linearly over the first `warmup` fraction of all steps, then fall to zero along half a cosine.

    Loshchilov & Hutter (2016), without restarts. Stepped every batch.
    """
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup={warmup} must be in [0, 1)")
    rise = round(warmup * total_steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + cos(pi * min(1.0, (step - rise) / max(1, total_steps - rise))))

    return LambdaLR(optimizer, factor)


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> OneCycleLR:
    """Torch's OneCycleLR with each group's learning rate as its peak, reached after `pct_start` of all steps.

    Smith & Topin (2017). Stepped every batch; the optimizer's momentum or first beta goes from 0.95 to 0.85 and back.
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    rise = pct_start + (1e-6 if pct_start * total_steps == 1 else 0)  # of exactly one step, torch divides by zero
    return OneCycleLR(
        optimizer, peaks, total_steps, pct_start=rise, div_factor=div_factor, final_div_factor=final_div_factor
    )


def exponential(optimizer: Optimizer, hold: int = 10, rate: float = 0.1) -> LambdaLR:
    """Hold for `hold` epochs, then multiply by exp(-rate) each epoch. Stepped every epoch."""
    if hold < 0 or rate < 0:
        raise ValueError(f"hold={hold} epochs and rate={rate} must not be negative")
    return LambdaLR(optimizer, lambda epoch: exp(-rate * max(0, epoch - hold + 1)))
