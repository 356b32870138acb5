"""The queue before the network: batches, its limit, and what is given up."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from trainyard.serving.batching import Batcher
from trainyard.serving.limits import Limits, RefusedError


class Slow:
    """Squares numbers, once it is allowed to; refuses 7, and fails for a batch with 13, 14 or 15."""

    def __init__(self) -> None:
        self.go, self.batches, self.is_asked = threading.Event(), [], False

    def __call__(self, batch: list[int]) -> list[int | RefusedError]:
        self.is_asked = True
        self.go.wait(30)
        self.batches.append(batch)
        if 13 in batch:
            raise RuntimeError("13")
        if 14 in batch:
            raise StopIteration
        if 15 in batch:
            raise SystemExit(15)
        return [RefusedError(422, "7") if number == 7 else number**2 for number in batch]


@asynccontextmanager
async def running(slow: Slow, **limits: Any) -> AsyncIterator[Batcher]:
    batcher = Batcher(slow, Limits(**limits))
    batcher.start()
    yield batcher
    await batcher.stop()


def test_what_waits_becomes_one_batch_and_a_full_queue_refuses() -> None:
    slow = Slow()

    async def work() -> None:
        async with running(slow, batch=3, waiting=4, delay=0.01) as batcher:
            first = asyncio.create_task(batcher.answers([1]))
            while not slow.is_asked:
                await asyncio.sleep(0.01)
            rest = [asyncio.create_task(batcher.answers(numbers)) for numbers in ([2, 3], [4, 7])]
            await asyncio.sleep(0)
            for more in ([5], [5, 6]):
                with pytest.raises(RefusedError, match="the server is busy: 4 inputs wait for the network") as refused:
                    await batcher.answers(more)
                assert refused.value.status == 503
            rest[0].cancel()
            slow.go.set()
            assert await first == [1]
            answers = await rest[1]
            assert answers[0] == 16 and isinstance(answers[1], RefusedError)

    asyncio.run(work())
    assert slow.batches == [[1], [4], [7]]  # the first three were gathered; nothing is computed for who gave up


def test_an_error_is_that_of_its_batch_and_the_next_one_is_answered() -> None:
    slow = Slow()
    slow.go.set()

    async def work() -> None:
        async with running(slow, batch=8, delay=0.05) as batcher:
            found = await asyncio.gather(batcher.answers([2]), batcher.answers([13]), return_exceptions=True)
            assert [type(each) for each in found] == [RuntimeError] * 2
            for number in (14, 15):  # which a future of asyncio cannot carry
                with pytest.raises(RuntimeError, match="StopIteration|SystemExit"):
                    await batcher.answers([number])
            assert await batcher.answers(list(range(7))) == [number**2 for number in range(7)]

    asyncio.run(work())
    assert slow.batches == [[2, 13], [14], [15], list(range(7))]


def test_a_lone_input_waits_no_longer_than_it_must() -> None:
    slow = Slow()
    slow.go.set()

    async def work() -> float:
        async with running(slow, batch=8, delay=0.02) as batcher:
            start = asyncio.get_running_loop().time()
            for number in range(5):
                assert await batcher.answers([number]) == [number**2]
            return asyncio.get_running_loop().time() - start

    assert 0.1 <= asyncio.run(work()) < 2
    assert len(slow.batches) == 5
