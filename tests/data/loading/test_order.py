from itertools import chain
from pathlib import Path

import pytest
import torch
from lightning import Callback
from torch.utils.data import DataLoader

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve
from trainyard.data.base import Samples
from trainyard.data.loading.order import BatchOrder
from trainyard.training.factory import make_trainer


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


def test_the_same_epoch_keeps_its_start_and_another_starts_at_zero() -> None:
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
    with pytest.raises(ValueError, match="batch_size=9 is not divisible by 2, the number of processes"):
        BatchOrder(50, 9, seed=0, shuffle=True, world_size=2)
    with pytest.raises(ValueError, match="batch_size=0 must be at least 1"):
        BatchOrder(50, 0, seed=0, shuffle=True)


class Seen(Callback):
    """Notes the labels of every training batch."""

    def __init__(self) -> None:
        self.labels: list[list[int]] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.labels.append(batch[1].tolist())


@pytest.mark.parametrize("scheduler", ["constant", "cosine"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_has_its_own_order(workers: int, scheduler: str, tmp_path: Path) -> None:
    """Two epochs at a stretch, and two with a new Trainer between them, see the same batches."""
    words = ["model=mlp", "model.widths=[4]", "data=shapes", "data.size=200", "data.test_size=100", "hardware=cpu"]
    composed = compose([*words, f"data.num_workers={workers}", f"run.dir={tmp_path}", f"scheduler={scheduler}"])
    cfg = resolve(composed)

    def fit(epochs: int, checkpoint: Path | None = None) -> list[list[int]]:
        seen = Seen()
        task, data = instantiate_task(cfg, composed.choices), instantiate(cfg.data, "data")
        trainer = make_trainer(cfg, [seen], [], max_epochs=epochs, enable_progress_bar=False)
        trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        trainer.save_checkpoint(tmp_path / f"{epochs}.ckpt")
        return seen.labels

    whole = fit(2)
    assert fit(1) + fit(2, tmp_path / "1.ckpt") == whole
    assert whole[0] != whole[len(whole) // 2]


def test_loading_leaves_torchs_own_random_numbers_alone() -> None:
    """Or validating more often would change dropout, and with it the training."""
    data = instantiate(
        resolve(compose(["data=shapes", "data.size=200", "data.test_size=100", "run.dir=x"])).data, "data"
    )
    data.setup("fit")
    before = torch.get_rng_state()
    next(iter(data.val_dataloader()))
    assert torch.equal(torch.get_rng_state(), before)
