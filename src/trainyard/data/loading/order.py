"""The order of the data: a pure function of (seed, epoch), divided between ranks, which can start at any batch."""

from collections.abc import Callable, Iterator
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Sampler

from trainyard.data.loading.balance import Balance, occurrences
from trainyard.data.loading.hashing import sample_keys, stable_hash

POOL = 50  # batches whose samples are sorted by length together


class BatchIndices(NamedTuple):
    """A process's share of one batch: its samples, and the keys of their random draws in this epoch."""

    index: Tensor  # (B) int64
    keys: Tensor  # (B) int64
    batch_key: int  # of the whole batch: for what is drawn once for all of its samples
    neighbor: bool = False  # whether the sample of the whole batch that precedes the share is the first one here
    is_copy: bool = False  # whether another process has this sample as well, as there are too few, and counts it


class BatchOrder(Sampler[BatchIndices]):
    """Yield whole batches of sample indices.

    `batch_size` is the global one: each rank takes a part of each batch, so that the ranks' parts, one after the other,
    are the batch of a single process. The parts of a batch that does not divide differ by one sample; of one with fewer
    samples than ranks, the ranks that remain get a copy of a sample, which does not count. With `neighbor`, a part
    starts with the sample before it (of the first, the batch's last), with which its own first sample can be mixed.

    With `lengths`, samples of similar length share a batch: they are drawn at random into pools of POOL batches, sorted
    within the pool, and the batches are shuffled; outside training all samples are sorted.

    With `balance`, an epoch has as many samples as there are, drawn with replacement.

    The keys depend on seed and epoch while shuffling, and are always the same otherwise. A sample that is drawn several
    times in an epoch has other keys each time.

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
        neighbor: bool = False,
        balance: Balance | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        self.size, self.batch_size, self.seed, self.shuffle = size, batch_size, seed, shuffle
        self.rank, self.world_size, self.lengths, self.neighbor = rank, world_size, lengths, neighbor
        self.balance, self.epoch, self.start = balance, 0, 0

    def seek(self, epoch: int, batch: int) -> None:
        """Start the next pass at a batch of an epoch."""
        self.epoch, self.start = epoch, batch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch, in a resumed one after `iter`: the same epoch keeps its start."""
        if epoch != self.epoch:
            self.seek(epoch, 0)

    def __len__(self) -> int:
        return ceil(self.size / self.batch_size)

    def __iter__(self) -> Iterator[BatchIndices]:
        if self.position:
            epoch, batch = self.position()
            self.seek(epoch, batch if batch < len(self) else 0)  # after a completed epoch a whole one follows
        epoch, start = self.epoch, self.start
        order = self.order(epoch)
        draws = order if self.balance is None else order + self.size * occurrences(order)
        keys = sample_keys(self.seed, epoch, draws) if self.shuffle else sample_keys(0, 0, order)
        for batch in range(start, len(self)):
            whole = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            yield self.share(order[whole], keys[whole])

    def share(self, index: Tensor, keys: Tensor) -> BatchIndices:  # (B), (B), both of the whole batch
        """This rank's part of a batch."""
        size, batch_key = len(index), int(keys[0])
        if self.world_size == 1:
            return BatchIndices(index, keys, batch_key)
        parts = min(self.world_size, size)
        first, end = (size * part // parts for part in (self.rank % parts, self.rank % parts + 1))
        rows = torch.arange(first - self.neighbor, end) % size
        return BatchIndices(index[rows], keys[rows], batch_key, self.neighbor, is_copy=self.rank >= parts)

    def order(self, epoch: int) -> Tensor:  # -> (size) int64
        """All samples in the order of an epoch; with `balance`, those that are drawn."""
        if not self.shuffle:
            return torch.arange(self.size) if self.lengths is None else self.lengths.argsort(stable=True)
        generator = torch.Generator().manual_seed(stable_hash(self.seed, "order", epoch))
        order = self.balance.draw(generator) if self.balance else torch.randperm(self.size, generator=generator)
        if self.lengths is None:
            return order
        pools = order.split(POOL * self.batch_size)
        order = torch.cat([pool[self.lengths[pool].argsort(stable=True)] for pool in pools])
        *batches, last = order.split(self.batch_size)  # the last one may be shorter and stays last
        shuffled = torch.randperm(len(batches), generator=generator)
        return torch.cat([*(batches[i] for i in shuffled), last])
