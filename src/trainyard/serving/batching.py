"""Dynamic batching: inputs of all requests wait in one queue, and one thread computes them in batches."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from trainyard.serving.limits import Limits, busy

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Batcher(Generic[Asked, Answer]):
    """Answers inputs by `function`, which takes a batch of them, in a thread of its own.

    A batch is full with `limits.batch` inputs, and waits `limits.delay` seconds for others; while one is computed the
    next one gathers. `RefusedError` (503) where more than `limits.waiting` inputs would wait.
    """

    def __init__(self, function: Callable[[list[Asked]], Sequence[Answer]], limits: Limits) -> None:
        self.function, self.limits = function, limits
        self.queue: asyncio.Queue[tuple[Asked, asyncio.Future[Answer]]] = asyncio.Queue(limits.waiting)
        self.thread = ThreadPoolExecutor(1, "network")
        self.task: asyncio.Task[Any] | None = None
        self.batches = self.inputs = 0  # computed so far

    def start(self) -> None:
        """Begin to answer; within a running event loop."""
        self.task = asyncio.create_task(self.work())

    async def stop(self) -> None:
        """End; a batch that is being computed then is given up."""
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.thread.shutdown(wait=False, cancel_futures=True)

    async def answers(self, inputs: Sequence[Asked]) -> list[Answer]:
        """The answer to each input, in their order: all of them wait, or none."""
        if self.queue.qsize() + len(inputs) > self.limits.waiting:
            raise busy(f"{self.queue.qsize()} inputs wait for the network")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer]] = [loop.create_future() for _ in inputs]
        for each, future in zip(inputs, futures, strict=True):
            self.queue.put_nowait((each, future))
        return await asyncio.gather(*futures)

    async def work(self) -> None:
        """Compute one batch after the other."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [each for each in await self.gather() if not each[1].done()]  # but for those that were given up
            if not batch:
                continue
            inputs, futures = zip(*batch, strict=True)
            found, failure = await loop.run_in_executor(self.thread, self.compute, list(inputs))
            self.batches, self.inputs = self.batches + 1, self.inputs + len(batch)
            for place, future in enumerate(futures):
                if failure and not future.done():
                    future.set_exception(failure)
                elif not future.done():
                    future.set_result(found[place])

    def compute(self, inputs: list[Asked]) -> tuple[Sequence[Answer], Exception | None]:
        """In the thread: the answers, or why there are none. (A future of asyncio cannot carry every exception.)"""
        try:
            return self.function(inputs), None
        except StopIteration as error:
            return (), RuntimeError(f"StopIteration: {error}")
        except Exception as error:
            return (), error
        except BaseException as error:
            return (), RuntimeError(f"{type(error).__name__}: {error}")

    async def gather(self) -> list[tuple[Asked, asyncio.Future[Answer]]]:
        """The next batch, as soon as it is full, or has waited long enough."""
        batch = [await self.queue.get()]
        try:
            async with asyncio.timeout(self.limits.delay):
                while len(batch) < self.limits.batch:
                    batch.append(self.queue.get_nowait() if not self.queue.empty() else await self.queue.get())
        except TimeoutError:
            pass
        return batch
