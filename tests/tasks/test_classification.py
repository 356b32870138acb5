import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainyard.tasks.classification import Classification

PARTS = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}


def task(num_classes: int, outputs: int, **options: float) -> Classification:
    torch.manual_seed(0)
    return Classification(num_classes=num_classes, net=nn.Linear(4, outputs), **PARTS, **options)


def test_two_classes_by_one_logit_are_binary_cross_entropy() -> None:
    inputs, labels = torch.randn(16, 4), torch.randint(2, (16,))
    one = task(2, 1)
    expected = F.binary_cross_entropy_with_logits(one.net(inputs).squeeze(1), labels.float())
    torch.testing.assert_close(one.score((inputs, labels)).loss, expected)


def test_a_network_with_two_logits_for_two_classes_is_welcome() -> None:
    scored = task(2, 2).score((torch.randn(16, 4), torch.randint(2, (16,))))
    assert scored.predictions.shape == (16, 2)


def test_a_logit_of_zero_means_class_zero() -> None:
    """The threshold unit's own convention: 1 only above zero."""
    one = task(2, 1)
    nn.init.zeros_(one.net.weight)
    nn.init.zeros_(one.net.bias)
    assert one.score((torch.randn(3, 4), torch.zeros(3).long())).predictions.argmax(dim=1).tolist() == [0, 0, 0]


def test_label_smoothing_is_for_training_alone() -> None:
    batch = torch.randn(16, 4), torch.randint(3, (16,))
    smooth, plain = task(3, 3, label_smoothing=0.2), task(3, 3)
    assert smooth.score(batch).loss != plain.score(batch).loss
    assert smooth.eval().score(batch).loss == plain.eval().score(batch).loss


@pytest.mark.parametrize(("classes", "top5"), [(2, False), (5, False), (6, True)])
def test_top5_is_logged_above_five_classes_alone(classes: int, top5: bool) -> None:
    assert ("accuracy_top5" in task(classes, classes).stage_meters("test")) == top5


def test_meters_are_exact_whatever_the_batch_sizes() -> None:
    many = task(3, 3).eval()
    inputs, labels = torch.randn(17, 4), torch.randint(3, (17,))
    for start, end in ((0, 5), (5, 16), (16, 17)):
        many.step("val", (inputs[start:end], labels[start:end]))
    logits = many.net(inputs)
    meters = many.stage_meters("val")
    torch.testing.assert_close(meters["loss"].compute(), F.cross_entropy(logits, labels))
    assert meters["accuracy"].compute().item() == pytest.approx((logits.argmax(1) == labels).float().mean().item())


def test_smoothing_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"label_smoothing=1.5 must be in \[0, 1\)"):
        task(3, 3, label_smoothing=1.5)


def test_the_first_loss_of_many_classes_is_near_its_logarithm() -> None:
    scored = task(10, 10).score((torch.zeros(8, 4), torch.randint(10, (8,))))
    assert scored.loss.item() == pytest.approx(math.log(10), rel=0.2)


def test_a_share_without_samples_changes_nothing() -> None:
    """With several processes the last batch may leave one empty-handed."""
    many = task(3, 3).eval()
    many.step("val", (torch.randn(4, 4), torch.tensor([0, 1, 2, 0])))
    before = {name: meter.compute() for name, meter in many.stage_meters("val").items()}
    many.step("val", (torch.empty(0, 4), torch.empty(0, dtype=torch.long)))
    assert {name: meter.compute() for name, meter in many.stage_meters("val").items()} == before


@pytest.mark.parametrize(("classes", "outputs"), [(3, 3), (2, 2), (2, 1)])
def test_shares_of_classes_are_scored_like_classes(classes: int, outputs: int) -> None:
    """All of one class: the same as that class. A mixture: the mean of both losses. Smoothed labels too."""
    inputs, labels = torch.randn(16, 4), torch.randint(classes, (16,))
    shares = F.one_hot(labels, classes).float()
    for smoothing in (0.0, 0.2):
        many = task(classes, outputs, label_smoothing=smoothing)
        whole, shared = many.score((inputs, labels)), many.score((inputs, shares))
        torch.testing.assert_close(whole.loss, shared.loss)
        assert torch.equal(whole.targets, shared.targets)
        blend = many.score((inputs, 0.7 * shares + 0.3 * shares.roll(1, 0)))
        other = many.score((inputs, labels.roll(1, 0)))
        torch.testing.assert_close(blend.loss, 0.7 * whole.loss + 0.3 * other.loss)
        assert torch.equal(blend.targets, labels)
