from math import cos, exp, pi, sqrt

import pytest
import torch
from torch import nn

from trainyard.optim.schedules import (
    cosine,
    cosine_restarts,
    exponential,
    inverse_sqrt,
    one_cycle,
    polynomial,
    triangular,
    wsd,
)
from trainyard.optim.warmup import WarmedUp


def rates(schedule, steps: int) -> list[float]:
    optimizer = schedule.optimizer
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def sgd(lr: float = 1.0) -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)


def test_exponential_is_the_articles() -> None:
    """`lr if epoch < 10 else lr * exp(-0.1)`, applied to its own last result."""
    expected, rate = [], 0.5
    for epoch in range(30):
        rate = rate if epoch < 10 else rate * exp(-0.1)
        expected.append(rate)
    assert rates(exponential(sgd(0.5)), 30) == pytest.approx(expected)


def test_cosine_rises_and_falls_to_zero() -> None:
    seen = rates(cosine(sgd(), total_steps=100, warmup=0.1), 101)
    assert seen[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert seen[10] == 1 and seen[55] == pytest.approx(0.5) and seen[100] == pytest.approx(0)
    assert seen[10:] == sorted(seen[10:], reverse=True)


def test_cosine_without_warmup_starts_at_the_peak() -> None:
    assert rates(cosine(sgd(), total_steps=10, warmup=0), 1) == [1]


def test_one_cycle_is_torchs_with_a_peak_of_its_own_for_each_group() -> None:
    weights = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.5, 0.1)]
    schedule = one_cycle(torch.optim.AdamW(weights), total_steps=100, pct_start=0.2)
    torchs = torch.optim.lr_scheduler.OneCycleLR(sgd(), 0.5, total_steps=100, pct_start=0.2)
    expected = rates(torchs, 99)
    for rate in expected:
        assert schedule.get_last_lr() == pytest.approx([rate, rate / 5])
        schedule.optimizer.step()
        schedule.step()
    assert max(expected) == pytest.approx(0.5, rel=0.01)


def test_one_cycle_may_rise_in_a_single_step() -> None:
    seen = rates(one_cycle(sgd(), total_steps=10, pct_start=0.1), 10)  # torch's own divides by zero
    assert seen[0] < 0.1 and max(seen) == pytest.approx(1, abs=0.05) and seen[-1] < 0.01


def test_restarts_begin_at_the_peak_and_end_with_the_run() -> None:
    seen = rates(cosine_restarts(sgd(), total_steps=70, cycles=3, growth=2, min_lr=0.1), 70)
    assert [step for step, rate in enumerate(seen) if rate == 1] == [0, 10, 30]  # 10 + 20 + 40 steps
    assert seen[5] == pytest.approx(0.55) and seen[29] == pytest.approx(0.1, abs=0.01)
    assert seen[-1] == pytest.approx(0.1 + 0.45 * (1 + cos(pi * 39 / 40))) and min(seen) >= 0.1


@pytest.mark.parametrize(
    ("shape", "half"), [("linear", 0.5), ("sqrt", 1 - sqrt(0.5)), ("cosine", 0.5)], ids=lambda value: str(value)[:6]
)
def test_wsd_is_constant_before_it_falls_to_zero(shape: str, half: float) -> None:
    seen = rates(wsd(sgd(), total_steps=100, decay=0.2, shape=shape), 101)
    assert seen[:81] == [1] * 81 and seen[90] == pytest.approx(half) and seen[100] == pytest.approx(0, abs=1e-9)
    assert seen[80:] == sorted(seen[80:], reverse=True)


def test_inverse_sqrt_with_as_long_a_warmup_is_the_papers() -> None:
    """Vaswani et al. (2017): proportional to min(step ** -0.5, step * warmup ** -1.5)."""
    seen = rates(WarmedUp(inverse_sqrt(sgd(), timescale=40), steps=40, waits=True), 400)
    paper = [min(step**-0.5, step * 40**-1.5) for step in range(1, 401)]
    scaled = [rate / max(paper) for rate in paper]
    assert seen[:40] == pytest.approx(scaled[:40]) and seen[40:] == pytest.approx(scaled[39:-1])


def test_polynomial_is_a_power_of_what_remains() -> None:
    assert rates(polynomial(sgd(), 10), 11) == pytest.approx([1 - i / 10 for i in range(11)])
    assert rates(polynomial(sgd(), 10, power=2), 5)[4] == pytest.approx(0.36)


def test_values_out_of_range_are_refused() -> None:
    for call, message in (
        (lambda: cosine_restarts(sgd(), 10, cycles=0), "cycles=0 and growth=2 must be at least 1"),
        (lambda: wsd(sgd(), 10, decay=1.5), r"decay=1.5 must be in \(0, 1\]"),
        (lambda: wsd(sgd(), 10, shape="x"), "shape=x is unknown; choose one of linear, sqrt, cosine"),
        (lambda: inverse_sqrt(sgd(), timescale=0), "timescale=0 steps must be at least 1"),
        (lambda: polynomial(sgd(), 10, power=0), "power=0 must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match="warmup=1.5 must be in"):
        cosine(sgd(), 10, warmup=1.5)
    with pytest.raises(ValueError, match="hold=-1 epochs and rate=0.1 must not be negative"):
        exponential(sgd(), hold=-1)


def test_triangular_rises_and_falls_linearly() -> None:
    """That of airbench94, in ten steps of which two rise."""
    seen = rates(triangular(sgd(2.0), total_steps=10, start=0.2, peak=0.2, end=0.04), 11)
    assert seen == pytest.approx([0.4, 1.2, *(2 * (1 - 0.96 * i / 8) for i in range(9))])
    assert rates(triangular(sgd(), total_steps=4, peak=0), 4) == pytest.approx([1, 0.7675, 0.535, 0.3025])
    with pytest.raises(ValueError, match=r"peak=1 must be in \[0, 1\), and start=0.2 and end=0.07"):
        triangular(sgd(), 10, peak=1)
