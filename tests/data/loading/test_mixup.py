import pytest
import torch
from torch import Tensor

import trainyard
from trainyard.data.loading.hashing import sample_keys
from trainyard.data.loading.mixup import Mixup
from trainyard.loggers.metrics_lines import read_metrics

LABELS = torch.arange(8) % 4
IMAGES = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 16, 16).contiguous()  # each of one value, its number
SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none", "model=mlp", "model.widths=[8]"]


def keys(batch: int) -> Tensor:
    return sample_keys(0, 0, torch.arange(8 * batch, 8 * batch + 8))


def own_share(labels: Tensor) -> Tensor:
    """The share of each sample's own class."""
    return labels[torch.arange(8), LABELS]


def test_mixup_blends_images_and_labels_by_one_share() -> None:
    images, labels = Mixup("mixup", 4)(IMAGES, LABELS, keys(0))
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(8))
    share = own_share(labels)[:, None, None, None]
    assert 0 < share[0] < 1
    torch.testing.assert_close(images, share * IMAGES + (1 - share) * IMAGES.roll(1, 0))


def test_cutmix_puts_a_rectangle_of_the_neighbour_into_the_image() -> None:
    for batch in range(20):
        images, labels = Mixup("cutmix", 4)(IMAGES, LABELS, keys(batch))
        mine = (images == IMAGES).float().mean(dim=(1, 2, 3))
        torch.testing.assert_close(own_share(labels), mine)
        assert ((images == IMAGES) | (images == IMAGES.roll(1, 0))).all()


def test_both_draws_one_of_the_two_for_each_batch() -> None:
    whole = [bool((Mixup("both", 4)(IMAGES, LABELS, keys(batch))[0] % 1 == 0).all()) for batch in range(40)]
    assert 10 < sum(whole) < 30  # a cut leaves values whole, a blend does not


@pytest.mark.parametrize("name", ["mixup", "cutmix", "both"])
def test_the_draw_hangs_on_the_keys_alone(name: str) -> None:
    """Other batches differ, the same one does not, and the generator that dropout uses is left as it was."""
    mix = Mixup(name, 4)
    before = torch.get_rng_state()
    first = [mix(IMAGES, LABELS, keys(batch))[1] for batch in range(3)]
    torch.rand(5)
    again = [mix(IMAGES, LABELS, keys(batch))[1] for batch in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    torch.set_rng_state(before)
    mix(IMAGES, LABELS, keys(0))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("classes", [[], ["data.classes=[disc,ring]"]])
def test_training_alone_is_mixed(classes: list[str], short: list[str]) -> None:
    """The rate zero: validation and test score as ever, training does not."""
    words = [*short, *SHAPES, *classes, "optimizer=sgd", "optimizer.lr=0", "scheduler=constant"]
    plain, mixed = (trainyard.train([*words, f"data.mix={name}"]) for name in ("none", "both"))
    assert mixed.summary["test"] == plain.summary["test"]
    assert mixed.summary["best"] == plain.summary["best"]
    losses = [[row["train/loss"] for row in read_metrics(run.path) if "train/loss" in row] for run in (plain, mixed)]
    assert losses[0] != losses[1]


def test_an_unknown_mix_is_refused() -> None:
    with pytest.raises(ValueError, match="mix=mixpu is unknown; choose one of none, mixup, cutmix, both"):
        Mixup("mixpu", 4)
