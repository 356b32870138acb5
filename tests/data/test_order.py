from itertools import chain

import pytest
import torch
from torch.utils.data import DataLoader

from trainyard.data.base import Samples
from trainyard.data.order import BatchOrder


def indices(order: BatchOrder) -> list[list[int]]:
    return [picked.index.tolist() for picked in order]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    first, again = (BatchOrder(50, 8, seed=1, shuffle=True) for _ in range(2))
    assert indices(first) == indices(again)
    assert sorted(chain.from_iterable(indices(first))) == list(range(50))
    again.set_epoch(1)
    assert indices(first) != indices(again)
    assert indices(first) != indices(BatchOrder(50, 8, seed=2, shuffle=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_pass_starts_at_any_batch(workers: int) -> None:
    data = Samples(torch.arange(50), torch.arange(50))
    whole, part = (BatchOrder(50, 8, seed=1, shuffle=True) for _ in range(2))
    whole.seek(3, 0)
    part.seek(3, 4)
    whole_keys = [keys.tolist() for _, _, keys in DataLoader(data, batch_size=None, sampler=whole, num_workers=workers)]
    part_keys = [keys.tolist() for _, _, keys in DataLoader(data, batch_size=None, sampler=part, num_workers=workers)]
    assert part_keys == whole_keys[4:]


def test_the_same_epoch_keeps_its_start_and_another_begins_at_zero() -> None:
    order = BatchOrder(50, 8, seed=1, shuffle=True)
    order.seek(3, 4)
    order.set_epoch(3)
    assert order.start == 4
    order.set_epoch(4)
    assert order.start == 0


@pytest.mark.parametrize("size", [48, 49, 50])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_ranks_batches_together_are_the_single_process_batch(size: int, shuffle: bool) -> None:
    single = BatchOrder(size, 8, seed=1, shuffle=shuffle)
    ranks = [indices(BatchOrder(size, 8, 1, shuffle, rank, world_size=2)) for rank in range(2)]
    assert len({len(batches) for batches in ranks}) == 1
    for alone, left, right in zip(indices(single), *ranks, strict=False):
        assert sorted(left + right) == sorted(alone)
    if not shuffle:  # evaluation sees every sample once
        assert sorted(chain.from_iterable(ranks[0] + ranks[1])) == list(range(size))


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size=9 does not divide between 2 processes"):
        BatchOrder(50, 9, seed=0, shuffle=True, world_size=2)
    with pytest.raises(ValueError, match="batch_size=0 must be at least 1"):
        BatchOrder(50, 0, seed=0, shuffle=True)
