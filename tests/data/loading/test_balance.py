from itertools import chain

import pytest
import torch
from torch.utils.data import WeightedRandomSampler

import trainyard
from trainyard.data.base import DataModule, Samples
from trainyard.data.loading.balance import Balance, occurrences
from trainyard.data.loading.order import BatchOrder
from trainyard.errors import UserError

LABELS = torch.tensor([2] * 70 + [0] * 20 + [7] * 10)


class Rare(DataModule):
    """One class is ten times as frequent as the other; each input is its number."""

    def __init__(self, sampling: str = "shuffled", size: int = 440, **loading) -> None:
        super().__init__(sampling=sampling, **{"batch_size": 16, **loading})
        self.size = size

    def read(self, split: str) -> Samples:
        return Samples(torch.arange(self.size), (torch.arange(self.size) % 11 == 0).long())


def balanced(epoch: int = 0, seed: int = 1, rank: int = 0, ranks: int = 1) -> BatchOrder:
    order = BatchOrder(100, 8, seed, True, rank, ranks, balance=Balance(LABELS))
    order.seek(epoch, 0)
    return order


def drawn(order: BatchOrder) -> list[int]:
    return list(chain.from_iterable(share.index.tolist() for share in order))


def test_the_distribution_is_that_of_torch() -> None:
    """Of the classes, and of the samples within each: with weights 1 / (size of the class)."""
    counts = torch.zeros(2, 100)
    weights = (1 / LABELS.bincount().clamp(min=1))[LABELS]
    generator = torch.Generator().manual_seed(0)
    balance = Balance(LABELS)
    for _ in range(2000):
        counts[0] += balance.draw(generator).bincount(minlength=100)
        sampler = WeightedRandomSampler(weights.tolist(), 100, generator=generator)
        counts[1] += torch.tensor(list(sampler)).bincount(minlength=100)
    expected = 2000 * 100 * weights / weights.sum()
    for found in counts:
        assert ((found - expected) / expected.sqrt()).abs().max() < 5
        assert ((found - expected) ** 2 / expected).sum() < 160  # chi-square of 99 degrees: above it once in 10,000


def test_the_draws_are_a_function_of_seed_and_epoch() -> None:
    assert drawn(balanced()) == drawn(balanced()) and len(drawn(balanced())) == 100
    assert drawn(balanced()) != drawn(balanced(epoch=1)) and drawn(balanced()) != drawn(balanced(seed=2))


def test_a_pass_starts_at_any_batch_with_the_same_keys() -> None:
    part = balanced(3)
    part.seek(3, 5)
    assert [share.keys.tolist() for share in part] == [share.keys.tolist() for share in balanced(3)][5:]


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_parts_of_several_processes_are_the_batches_of_one(ranks: int) -> None:
    parts = [list(balanced(rank=rank, ranks=ranks)) for rank in range(ranks)]
    for whole, *shares in zip(balanced(), *parts, strict=True):
        assert torch.cat([share.index for share in shares]).tolist() == whole.index.tolist()
        assert torch.cat([share.keys for share in shares]).tolist() == whole.keys.tolist()


def test_a_sample_that_is_drawn_twice_is_augmented_in_two_ways() -> None:
    shares = list(balanced())
    index, keys = (torch.cat([getattr(share, name) for share in shares]) for name in ("index", "keys"))
    assert len(index.unique()) < 100 == len(keys.unique())
    once = {int(i): int(key) for i, key in zip(index.flip(0), keys.flip(0), strict=True)}  # of the first time
    plain = BatchOrder(100, 8, 1, True)
    usual = {int(i): int(key) for share in plain for i, key in zip(share.index, share.keys, strict=True)}
    assert all(usual[i] == key for i, key in once.items())


def test_occurrences_count_from_zero() -> None:
    assert occurrences(torch.tensor([5, 3, 5, 5, 3, 0])).tolist() == [0, 0, 1, 2, 1, 0]


def test_a_data_module_balances_training_alone() -> None:
    data = Rare("balanced")
    data.setup("fit")
    train, val = ([labels for _, labels, _ in loader] for loader in (data.train_dataloader(), data.val_dataloader()))
    assert 0.4 < torch.cat(train).float().mean() < 0.6 and len(torch.cat(train)) == 396
    assert torch.cat(val).float().mean() < 0.15


def test_the_batches_to_overfit_are_balanced_or_refused_before_training() -> None:
    data = Rare("balanced", batch_size=1)
    data.setup("fit")
    with pytest.raises(ValueError, match="needs several classes, and all training samples are of one"):
        data.keep_batches(1)


def test_similar_lengths_still_share_a_batch() -> None:
    lengths = torch.arange(100)
    order = BatchOrder(100, 5, 1, True, lengths=lengths, balance=Balance(LABELS))
    spans = [int(lengths[share.index].max() - lengths[share.index].min()) for share in order]
    assert sum(spans) / len(spans) < 20 and 20 < sum(label == 7 for label in LABELS[drawn(order)]) < 50


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.rand(9), "needs a class of each sample, and the targets are numbers"),
        (torch.zeros(9, 2), "needs a class of each sample"),
        (torch.zeros(9, dtype=torch.long), "needs several classes, and all training samples are of one"),
    ],
)
def test_what_has_no_classes_is_refused(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Balance(labels)


def test_a_run_says_what_it_refuses_and_what_counts_twice(short: list[str], caplog: pytest.LogCaptureFixture) -> None:
    words = [*short, "model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100"]
    with pytest.raises(UserError, match="sampling=blanced is unknown; choose one of shuffled, balanced"):
        trainyard.train([*words, "data.sampling=blanced"])
    with pytest.raises(UserError, match="sampling=balanced is for labeled texts; a language model has no classes"):
        trainyard.train([*short, "model=gpt", "data=imdb_lm", "data.sampling=balanced"])
    trainyard.train([*words, "data.sampling=balanced", "task.class_weights=balanced", "callbacks.pictures=null"])
    assert "draws all classes equally often, and task.class_weights weight them again" in caplog.text
