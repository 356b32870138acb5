"""Inputs in batches, as tensors that the data module's `transform` takes: files are decoded ahead, by threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainyard.cores import available_cores
from trainyard.data.base import DataModule
from trainyard.inference.inputs import Input

Batch = tuple[list[Input], Tensor]


def batches(
    data: Any, inputs: Iterable[Input], size: int, refuse: Callable[[str], object], is_slow: bool = False
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
            yield chunk, prepare(data, [each.value for each in chunk])
        except ValueError:  # of one of them: find it
            good = [each for each in chunk if _prepared(data, each, refuse) is not None]
            if good:
                yield good, prepare(data, [each.value for each in good])


def prepare(data: Any, values: list[Any]) -> Tensor:
    """Inputs as the data module stores its own; of a LightningDataModule of another kind, numbers as they are."""
    if isinstance(data, DataModule):
        return data.prepare_inputs(values)
    return torch.as_tensor(np.asarray(values)).float()


def _prepared(data: Any, each: Input, refuse: Callable[[str], object]) -> Tensor | None:
    """One input as a tensor, (1, ...); None for a bad one, which is told."""
    try:
        return prepare(data, [each.value])
    except ValueError as error:
        text = str(error)
        refuse(text if each.name in text else f"{each.name}: {text}")
        return None


def _decoded_ahead(data: Any, inputs: Iterable[Input], size: int, refuse: Callable[[str], object]) -> Iterator[Batch]:
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
