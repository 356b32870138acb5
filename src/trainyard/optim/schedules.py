"""Learning-rate schedules that scale the learning rate of each of the optimizer's parameter groups."""

from math import ceil, cos, exp, pi, sqrt

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, LambdaLR, OneCycleLR, PolynomialLR

SHAPES = {  # of the last part of wsd: what is left of the learning rate, after that share of it
    "linear": lambda share: 1 - share,
    "sqrt": lambda share: 1 - sqrt(share),
    "cosine": lambda share: 0.5 * (1 + cos(pi * share)),
}


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

    Smith & Topin (2017). Stepped every batch; the optimizer's momentum or first beta, if it has one, goes from 0.95 to
    0.85 and back.
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    rise = pct_start + (1e-6 if pct_start * total_steps == 1 else 0)  # of exactly one step, torch divides by zero
    return OneCycleLR(
        optimizer, peaks, total_steps, pct_start=rise, div_factor=div_factor, final_div_factor=final_div_factor,
        cycle_momentum="momentum" in optimizer.defaults or "betas" in optimizer.defaults,
    )  # fmt: skip


def exponential(optimizer: Optimizer, hold: int = 10, rate: float = 0.1) -> LambdaLR:
    """Hold for `hold` epochs, then multiply by exp(-rate) each epoch. Stepped every epoch."""
    if hold < 0 or rate < 0:
        raise ValueError(f"hold={hold} epochs and rate={rate} must not be negative")
    return LambdaLR(optimizer, lambda epoch: exp(-rate * max(0, epoch - hold + 1)))


def cosine_restarts(
    optimizer: Optimizer, total_steps: int, cycles: int = 3, growth: int = 2, min_lr: float = 0.0
) -> CosineAnnealingWarmRestarts:
    """Fall to `min_lr` along half a cosine `cycles` times, each `growth` times as long as the one before it.

    Loshchilov & Hutter (2017), by torch's CosineAnnealingWarmRestarts. Stepped every batch; the last cycle ends with
    the run.
    """
    if cycles < 1 or growth < 1 or min_lr < 0:
        raise ValueError(f"cycles={cycles} and growth={growth} must be at least 1, and min_lr={min_lr} not negative")
    first = ceil(total_steps / sum(growth**cycle for cycle in range(cycles)))
    return CosineAnnealingWarmRestarts(optimizer, T_0=max(1, first), T_mult=growth, eta_min=min_lr)


def wsd(optimizer: Optimizer, total_steps: int, decay: float = 0.2, shape: str = "linear") -> LambdaLR:
    """Constant, then down to zero over the last `decay` fraction of all steps: warm-up, stable, decay.

    Zhai et al. (2022) for images, Hu et al. (2024, MiniCPM) for language models; also called trapezoidal. `shape` is
    linear, sqrt (Hägele et al., 2024) or cosine. The warm-up is that of any schedule. Stepped every batch.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"decay={decay} must be in (0, 1]")
    if shape not in SHAPES:
        raise ValueError(f"shape={shape} is unknown; choose one of {', '.join(SHAPES)}")
    length = max(1, round(decay * total_steps))

    def factor(step: int) -> float:
        return SHAPES[shape](min(1.0, max(0, step - (total_steps - length)) / length))

    return LambdaLR(optimizer, factor)


def inverse_sqrt(optimizer: Optimizer, timescale: int = 1000, total_steps: int = 0) -> LambdaLR:
    """Multiply by sqrt(`timescale` / (`timescale` + step)); stepped every batch, for a run of any length.

    With a warm-up of `timescale` steps that of Vaswani et al. (2017). `total_steps` is not used.
    """
    if timescale < 1:
        raise ValueError(f"timescale={timescale} steps must be at least 1")
    return LambdaLR(optimizer, lambda step: sqrt(timescale / (timescale + step)))


def polynomial(optimizer: Optimizer, total_steps: int, power: float = 1.0) -> PolynomialLR:
    """Fall to zero as (1 - step / `total_steps`) ** `power`: 1 is linear. Torch's PolynomialLR, stepped every batch.

    Liu et al. (2015, ParseNet) with 0.9; Devlin et al. (2018, BERT) with 1.
    """
    if power <= 0:
        raise ValueError(f"power={power} must be positive")
    return PolynomialLR(optimizer, total_iters=max(1, total_steps), power=power)


def triangular(
    optimizer: Optimizer, total_steps: int, start: float = 0.2, peak: float = 0.23, end: float = 0.07
) -> LambdaLR:
    """Rise linearly from `start` times the learning rate to all of it, then fall linearly to `end` times.

    The `peak` is reached after that fraction of all steps. Page (2018), Jordan (2024). Stepped every batch.
    """
    if not 0 <= peak < 1 or start < 0 or end < 0:
        raise ValueError(f"peak={peak} must be in [0, 1), and start={start} and end={end} not negative")
    rise = int(peak * total_steps)

    def factor(step: int) -> float:
        if step < rise:
            return start + (1 - start) * step / rise
        return 1 - (1 - end) * min(1.0, (step - rise) / max(1, total_steps - rise))

    return LambdaLR(optimizer, factor)
