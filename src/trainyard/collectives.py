"""What the processes of a run compute together. In a run of one process, each function returns its argument.

All processes must call a function at the same place. Values travel through the host's memory (gloo), so that no call
waits for a GPU.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

T = TypeVar("T")


def world_size() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def largest(values: Sequence[int]) -> list[int]:
    """The largest of each value over all processes."""
    return _reduced(values, torch.int64, dist.ReduceOp.MAX)


def first_rank(holds: bool) -> int | None:
    """The first process for which something holds; None if it holds for none."""
    first = -largest([-rank() if holds else -world_size()])[0]
    return None if first == world_size() else first


def totals(values: Sequence[float]) -> list[float]:
    """The sum of each value over all processes, in double precision."""
    return _reduced(values, torch.float64, dist.ReduceOp.SUM)


def gathered(value: T) -> list[T]:
    """The values of all processes, in the order of their ranks; anything that pickle can write."""
    if world_size() == 1:
        return [value]
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, value)
    return found


def from_rank_zero(compute: Callable[[], T]) -> T:
    """What `compute` returns in the process of rank 0; in the others it is not called."""
    if world_size() == 1:
        return compute()
    found: list[Any] = [compute() if rank() == 0 else None]
    dist.broadcast_object_list(found, src=0)
    return found[0]


def barrier() -> None:
    """Wait until all processes have arrived here."""
    largest([0])


def is_sharded(net: nn.Module) -> bool:
    """Whether each process has a part of the network's weights alone, so that all of them must call it together."""
    return isinstance(net, FSDPModule)


def own_part(tensor: Tensor) -> Tensor:
    """This process's part of a sharded tensor; any other as it is."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


@contextmanager
def usable_weights(net: nn.Module) -> Iterator[None]:
    """Within `with`, methods of a sharded network other than `forward` can be called. (Its blocks gather their own.)"""
    if isinstance(net, FSDPModule):
        net.unshard()
    try:
        yield
    finally:
        if isinstance(net, FSDPModule):
            net.reshard()


def _reduced(values: Sequence[Any], dtype: torch.dtype, operation: Any) -> list[Any]:
    if world_size() == 1:
        return list(values)
    found = torch.tensor(values, dtype=dtype)
    dist.all_reduce(found, operation)
    return found.tolist()
