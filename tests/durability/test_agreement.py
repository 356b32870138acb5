"""Processes ask each other about once a second, however fast or slow what they do becomes."""

import signal
from collections.abc import Iterator

import pytest
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from trainyard.durability.agreement import Agreement
from trainyard.durability.signals import PREEMPTED, StopSignal


@pytest.fixture
def agreement() -> Iterator[Agreement]:
    """Of the first of two processes, the second of which always agrees."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield Agreement()
    dist.destroy_process_group()


def calls_until_stopped(agreement: Agreement) -> int:
    """After how many calls a signal is obeyed."""
    stop = StopSignal()
    stop.received = signal.SIGTERM
    for calls in range(1, 10_000):
        agreement.reach(stop)
        if agreement.exit_code == PREEMPTED:
            return calls
    raise AssertionError("the signal was never obeyed")


@pytest.mark.parametrize("calls", [1, 5, 40])
def test_calls_that_were_fast_do_not_put_off_the_next_question_for_long(calls: int, agreement: Agreement) -> None:
    for _ in range(calls):
        agreement.reach(StopSignal())
    assert calls_until_stopped(agreement) <= calls + 1


def test_the_first_call_of_another_kind_asks(agreement: Agreement) -> None:
    for _ in range(300):
        agreement.reach(StopSignal())
    assert agreement.every > 1
    agreement.ask_soon()
    assert calls_until_stopped(agreement) == 1
