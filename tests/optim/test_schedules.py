from math import exp

import pytest
import torch
from torch import nn

from trainyard.optim.groups import decay_groups
from trainyard.optim.schedules import cosine, exponential, one_cycle


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


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="warmup=1.5 must be in"):
        cosine(sgd(), 10, warmup=1.5)
    with pytest.raises(ValueError, match="hold=-1 epochs and rate=0.1 must not be negative"):
        exponential(sgd(), hold=-1)


def test_biases_and_gains_are_not_decayed() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    matrices, vectors = decay_groups(net)
    assert [p.ndim for p in matrices["params"]] == [4, 2] and "weight_decay" not in matrices
    assert {p.ndim for p in vectors["params"]} == {1} and vectors["weight_decay"] == 0


def test_frozen_weights_are_left_out() -> None:
    net = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(ValueError, match="the network has no trainable parameter"):
        decay_groups(net)
