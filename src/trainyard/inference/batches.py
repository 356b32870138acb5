"""Inputs in batches, as tensors that the data module's `transform` takes: files are decoded ahead, by threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import torch
from torch import Tensor

from trainyard.cores import available_cores
from trainyard.data.base import DataModule
from trainyard.inference.inputs import Input

Batch = tuple[list[Input], Tensor]


def batches(
    data: DataModule, inputs: Iterable[Input], size: int, refuse: Callable[[str], object], is_slow: bool = False
) -> Iterator[Batch]:
    """At most `size` inputs and their tensor, (B, ...), as `data.prepare_inputs` returns it.

    `refuse` is called with a sentence for each input that cannot be prepared. With `is_slow` (files are read) each is
    prepared by a thread of its own, at most two batches ahead.
    """
    if is_slow:
        yield from _decoded_ahead(data, inputs, size, refuse)
        return
    rest = iter(inputs)
    while chunk := list(islice(rest, size)):
        try:
            yield chunk, data.prepare_inputs([each.value for each in chunk])
        except ValueError:  # of one of them: find it
            good = [each for each in chunk if _prepared(data, each, refuse) is not None]
            if good:
                yield good, data.prepare_inputs([each.value for each in good])


def _prepared(data: DataModule, each: Input, refuse: Callable[[str], object]) -> Tensor | None:
    """One input as a tensor, (1, ...); None for a bad one, which is told."""
    try:
        return data.prepare_inputs([each.value])
    except ValueError as error:
        text = str(error)
        refuse(text if each.name in text else f"{each.name}: {text}")
        return None


def _decoded_ahead(
    data: DataModule, inputs: Iterable[Input], size: int, refuse: Callable[[str], object]
) -> Iterator[Batch]:
    rest, waiting = iter(inputs), deque[tuple[Input, Future[Tensor | None]]]()
    pool = ThreadPoolExecutor(available_cores())
    try:
        while True:
            for each in islice(rest, max(1, 2 * size - len(waiting))):
                waiting.append((each, pool.submit(_prepared, data, each, refuse)))
            if not waiting:
                return
            taken = [waiting.popleft() for _ in range(min(size, len(waiting)))]
            done = [(each, future.result()) for each, future in taken]
            good = [(each, tensor) for each, tensor in done if tensor is not None]
            if good:
                yield [each for each, _ in good], torch.cat([tensor for _, tensor in good])
    finally:
        pool.shutdown(cancel_futures=True)
