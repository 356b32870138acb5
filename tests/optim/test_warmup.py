"""A warm-up before any schedule, of each kind of length, on real runs."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

import trainyard
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.optim.schedules import cosine, exponential
from trainyard.optim.warmup import WarmedUp
from trainyard.optim.warmup_length import Warmup

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "model=mlp", "model.widths=[8]", "logger=none"]
TEN = ["trainer.limit_train_batches=5", "trainer.max_epochs=2", "callbacks.pictures=null"]  # steps


def sgd(*rates: float) -> torch.optim.SGD:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (1.0,)]
    return torch.optim.SGD(groups)


def batch_rates(schedule: WarmedUp, steps: int) -> list[float]:
    seen = []
    for _ in range(steps):
        seen.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    return seen


def test_a_schedule_by_batches_begins_after_the_warmup() -> None:
    """So that the cosine's own fraction, and as many steps before a cosine without one, are the same rates."""
    own = cosine(sgd(), 100, warmup=0.1)
    expected = []
    for _ in range(100):
        expected.append(own.optimizer.param_groups[0]["lr"])
        own.optimizer.step()
        own.step()
    seen = batch_rates(WarmedUp(cosine(sgd(), 90, warmup=0), steps=10, waits=True), 100)
    assert seen == pytest.approx(expected) and seen[:10] == expected[:10]


@pytest.mark.parametrize("make", [lambda o: StepLR(o, 1, gamma=0.5), lambda o: exponential(o, hold=1, rate=0.5)])
def test_a_schedule_by_epochs_counts_those_of_the_warmup(make) -> None:
    """Two groups, five epochs of four steps, ten of which are the warm-up."""
    warm, plain = WarmedUp(make(sgd(1.0, 0.1)), steps=10, waits=False), make(sgd(1.0, 0.1))
    step = 0
    for _ in range(5):
        for _ in range(4):
            step += 1
            factor = min(1.0, step / 10)
            assert warm.get_last_lr() == pytest.approx([rate * factor for rate in plain.get_last_lr()])
            warm.optimizer.step()
            plain.optimizer.step()
        warm.step()
        plain.step()
    assert warm.get_last_lr() == plain.get_last_lr()


def test_a_plateau_sees_its_own_rates() -> None:
    schedule = WarmedUp(ReduceLROnPlateau(sgd(), factor=0.5, patience=0, min_lr=0.5), steps=4, waits=False)
    for score in (1.0, 2.0, 3.0):
        schedule.optimizer.step()
        schedule.step(score)
    assert schedule.get_last_lr() == [0.5]  # halved once, then at its least


def test_the_state_continues_to_the_bit() -> None:
    """Saved within the warm-up and after it."""
    for cut in (3, 7):
        whole = WarmedUp(cosine(sgd(0.3), 20, warmup=0), steps=6, waits=True)
        batch_rates(whole, cut)
        again = WarmedUp(cosine(sgd(0.3), 20, warmup=0), steps=6, waits=True)
        again.optimizer.load_state_dict(copy.deepcopy(whole.optimizer.state_dict()))
        again.load_state_dict(copy.deepcopy(whole.state_dict()))
        assert batch_rates(again, 10) == batch_rates(whole, 10)


@pytest.mark.parametrize(
    ("words", "length"),
    [
        (["scheduler=constant", "scheduler.warmup_steps=4"], 4),
        (["scheduler=plateau", "scheduler.warmup=0.3"], 3),
        (["scheduler=cosine", "scheduler.warmup_epochs=1"], 5),
        (["scheduler=step", "scheduler.warmup_epochs=0.4"], 2),
        (["scheduler=wsd", "scheduler.warmup_steps=2"], 2),
        (["scheduler=cosine"], 0),  # its own 5 % of ten steps
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,
)
def test_a_run_rises_for_as_long_as_it_should(words: list[str], length: int, short: list[str]) -> None:
    run = trainyard.train([*short, *SHAPES, *TEN, *words])
    rates = [row["lr/matrices"] for row in read_metrics(run.path) if "lr/matrices" in row]
    rise = [1e-3 * step / length for step in range(1, length + 1)]
    assert len(rates) == 10 and rates[:length] == pytest.approx(rise) and rates[length] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["scheduler.warmup_steps=2", "scheduler.warmup_epochs=1"],
            "warmup_steps=2 and warmup_epochs=1 are two length",
        ),
        (["scheduler.warmup=2"], "warmup=2 is the fraction of the steps"),
        (["scheduler.warmup_steps=-1"], "warmup_steps=-1 must be a number of at least 0"),
        (["scheduler.warmup_steps=1.5"], "warmup_steps=1.5 must be a whole number"),
        (["scheduler.warmup_steps=10"], "a warm-up of 10 steps leaves nothing of a run of 10 steps"),
        (["scheduler.warmup=0.1", "trainer.max_epochs=-1"], "scheduler.warmup needs the length of the training"),
    ],
)
def test_a_warmup_that_cannot_be_is_refused(words: list[str], message: str, short: list[str], tmp_path) -> None:
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, *SHAPES, *TEN, "scheduler=constant", *words, f"run.dir={tmp_path}/run"])
    assert not (tmp_path / "run").exists()


def test_a_share_that_is_a_number_of_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="use warmup_steps for steps"):
        Warmup(share=100)


def test_a_resumed_run_may_not_be_extended_if_its_warmup_is_a_share(short: list[str], tmp_path) -> None:
    words = [*short, *SHAPES, *TEN, "scheduler=constant", f"run.dir={tmp_path}/run"]
    trainyard.train([*words, "scheduler.warmup=0.2"])
    with pytest.raises(UserError, match="the schedule ConstantLR was planned for 2 epochs"):
        trainyard.train([f"resume={tmp_path}/run", "trainer.max_epochs=3"])
