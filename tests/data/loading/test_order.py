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
    whole_keys, part_keys = ([share.keys.tolist() for _, _, share in DataLoader(
        data, batch_size=None, sampler=order, num_workers=workers)] for order in (whole, part))  # fmt: skip
    assert part_keys == whole_keys[4:]


def test_the_same_epoch_keeps_its_start_and_another_starts_at_zero() -> None:
    order = BatchOrder(50, 8, seed=1, shuffle=True)
    order.seek(3, 4)
    order.set_epoch(3)
    assert order.start == 4
    order.set_epoch(4)
    assert order.start == 0


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("size", [48, 49, 50, 53])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_ranks_shares_one_after_the_other_are_the_batch_of_one_process(
    size: int, shuffle: bool, ranks: int
) -> None:
    single = list(BatchOrder(size, 9, seed=1, shuffle=shuffle))
    shares = [list(BatchOrder(size, 9, 1, shuffle, rank, ranks)) for rank in range(ranks)]
    for whole, *parts in zip(single, *shares, strict=True):
        for part in parts:
            assert part.batch_key == whole.batch_key == int(whole.keys[0]) and len(part.index)
        counted = [part for part in parts if not part.is_copy]
        assert len(counted) == min(len(whole.index), ranks) and not parts[0].is_copy
        assert torch.cat([part.index for part in counted]).tolist() == whole.index.tolist()
        assert torch.cat([part.keys for part in counted]).tolist() == whole.keys.tolist()
        assert max(len(part.index) for part in parts) - min(len(part.index) for part in parts) <= 1


def test_a_share_may_start_with_the_sample_before_it() -> None:
    whole = next(iter(BatchOrder(50, 8, seed=1, shuffle=True))).index
    for rank in range(2):
        share = next(iter(BatchOrder(50, 8, 1, True, rank, world_size=2, neighbor=True)))
        assert share.neighbor and share.index.tolist() == [whole[4 * rank - 1], *whole[4 * rank : 4 * rank + 4]]


def test_a_batch_of_no_sample_is_refused() -> None:
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
