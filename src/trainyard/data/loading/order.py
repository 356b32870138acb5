"""The order of the data: a pure function of (seed, epoch), divided between ranks, which can start at any batch."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Sampler

from trainyard.data.loading.hashing import sample_keys, stable_hash

POOL = 50  # batches whose samples are sorted by length together


class BatchIndices(NamedTuple):
    """The samples of one batch, and the keys of their random draws in this epoch."""

    index: Tensor  # (B) int64
    keys: Tensor  # (B) int64


class BatchOrder(Sampler[BatchIndices]):
    """Yield whole batches of sample indices.

    `batch_size` is the global one: each rank takes every `world_size`-th sample of each batch, so that the ranks'
    batches together are the batch of a single process. Nothing is padded or repeated. While shuffling (training), a
    last batch with fewer samples than ranks is dropped.

    With `lengths`, samples of similar length share a batch: they are drawn at random into pools of POOL batches, sorted
    within the pool, and the batches are shuffled; outside training all samples are sorted.

    The keys depend on seed and epoch while shuffling, and are always the same otherwise.

    `position` returns (epoch, batch) as a pass starts: where a resumed run continues, and, with workers, the epoch,
    since they fetch batches before Lightning calls `set_epoch`.
    """

    position: Callable[[], tuple[int, int]] | None = None

    def __init__(
        self,
        size: int,
        batch_size: int,
        seed: int,
        shuffle: bool,
        rank: int = 0,
        world_size: int = 1,
        lengths: Tensor | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        if batch_size % world_size:
            raise ValueError(f"batch_size={batch_size} is not divisible by {world_size}, the number of processes")
        self.size, self.batch_size, self.seed, self.shuffle = size, batch_size, seed, shuffle
        self.rank, self.world_size, self.lengths = rank, world_size, lengths
        self.epoch, self.start = 0, 0

    def seek(self, epoch: int, batch: int) -> None:
        """Start the next pass at a batch of an epoch."""
        self.epoch, self.start = epoch, batch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch, in a resumed one after `iter`: the same epoch keeps its start."""
        if epoch != self.epoch:
            self.seek(epoch, 0)

    def __len__(self) -> int:
        full, rest = divmod(self.size, self.batch_size)
        keep_rest = rest > 0 and (not self.shuffle or rest >= self.world_size)
        return full + keep_rest

    def __iter__(self) -> Iterator[BatchIndices]:
        if self.position:
            epoch, batch = self.position()
            self.seek(epoch, batch if batch < len(self) else 0)  # after a completed epoch a whole one follows
        epoch, start = self.epoch, self.start
        order = self.order(epoch)
        keys = sample_keys(self.seed, epoch, order) if self.shuffle else sample_keys(0, 0, order)
        for batch in range(start, len(self)):
            mine = slice(batch * self.batch_size + self.rank, (batch + 1) * self.batch_size, self.world_size)
            yield BatchIndices(order[mine], keys[mine])

    def order(self, epoch: int) -> Tensor:  # -> (size) int64
        """All samples in the order of an epoch."""
        if not self.shuffle:
            return torch.arange(self.size) if self.lengths is None else self.lengths.argsort(stable=True)
        generator = torch.Generator().manual_seed(stable_hash(self.seed, "order", epoch))
        order = torch.randperm(self.size, generator=generator)
        if self.lengths is None:
            return order
        pools = order.split(POOL * self.batch_size)
        order = torch.cat([pool[self.lengths[pool].argsort(stable=True)] for pool in pools])
        *batches, last = order.split(self.batch_size)  # the last one may be shorter and stays last
        shuffled = torch.randperm(len(batches), generator=generator)
        return torch.cat([*(batches[i] for i in shuffled), last])
