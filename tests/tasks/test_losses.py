"""Losses by name, and what weights of classes do."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import trainyard
from trainyard.errors import UserError
from trainyard.tasks import losses
from trainyard.tasks.class_weights import balanced
from trainyard.tasks.classification import Classification
from trainyard.tasks.losses import OF_CLASSES, OF_LABELS, OF_NUMBERS, make_loss, mean_loss

XOR = ["data=xor", "data.size=60", "data.noise=0.1", "data.batch_size=10", "model=mlp", "model.widths=[8]",
       "callbacks.pictures=null"]  # fmt: skip
LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-3.0, 1.0, 1.0], [0.0, 4.0, 0.0]])
LABELS = torch.tensor([0, 2, 1, 1])


def classification(**options: Any) -> Classification:
    parts: dict[str, Any] = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}
    return Classification(3, net=nn.Identity(), **parts, **options)


def test_focal_is_its_formula_and_without_gamma_the_cross_entropy() -> None:
    chances = LOGITS.softmax(dim=1)[torch.arange(4), LABELS]
    torch.testing.assert_close(losses.focal(LOGITS, LABELS, gamma=3), (1 - chances) ** 3 * -chances.log())
    torch.testing.assert_close(losses.focal(LOGITS, LABELS, gamma=0), F.cross_entropy(LOGITS, LABELS, reduction="none"))
    mixed = torch.tensor([[0.7, 0.3, 0.0]]).expand(4, 3)
    torch.testing.assert_close(losses.focal(LOGITS, mixed, gamma=0), F.cross_entropy(LOGITS, mixed, reduction="none"))


def test_focal_of_labels_is_its_formula() -> None:
    targets = (LOGITS > 0).float().roll(1, dims=0)
    right = torch.where(targets > 0, LOGITS.sigmoid(), 1 - LOGITS.sigmoid())
    torch.testing.assert_close(losses.binary_focal(LOGITS, targets), ((1 - right) ** 2 * -right.log()).mean(dim=1))


def test_losses_of_numbers() -> None:
    outputs, targets = torch.tensor([[0.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0, 2.0], [0.0, -1.5]])
    torch.testing.assert_close(losses.log_cosh(outputs, targets), (outputs - targets).cosh().log().mean(dim=1))
    torch.testing.assert_close(losses.mse(outputs, targets), torch.tensor([0.5, 4.625]))
    torch.testing.assert_close(losses.huber(outputs, targets, delta=0.5), torch.tensor([0.1875, 0.75]))
    torch.testing.assert_close(losses.quantile(outputs, targets, q=0.9), torch.tensor([0.45, 0.175]))


@pytest.mark.parametrize("known", [OF_CLASSES, OF_LABELS, OF_NUMBERS])
def test_each_loss_is_one_number_for_each_sample(known: dict[str, Any]) -> None:
    targets = LABELS if known is OF_CLASSES else (LOGITS > 0).float()
    for loss in known.values():
        whole = loss(LOGITS, targets)
        parts = torch.cat([loss(*pair) for pair in zip(LOGITS.split(1), targets.split(1), strict=True)])
        assert whole.shape == (4,)
        torch.testing.assert_close(whole, parts)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "cross_entrpy",
            r"task.loss=cross_entrpy is unknown here. Did you mean cross_entropy\? There are",
        ),
        ("huber", "task.loss=huber is unknown here. It is a loss of task=regression. There are cross_entropy, focal"),
        ({"focal": {"gama": 2}}, "task.loss: focal takes no argument gama; it takes gamma"),
        (nn.Linear(2, 1), "task.loss=Linear has weights of its own, which no optimizer would train"),
    ],
)
def test_other_losses_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loss(given, OF_CLASSES)


def test_a_loss_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"task.loss returns \(4, 3\) for 2 samples; it should be \(\) or \(2,\)"):
        mean_loss(torch.zeros(4, 3), 2)


def test_a_weighted_loss_is_the_mean_over_the_samples_however_they_are_batched() -> None:
    """So that accumulated steps, and those of several processes, have the gradient of one batch."""
    task = classification(class_weights=[1.0, 2.0, 0.5])
    plain = F.cross_entropy(LOGITS, LABELS, reduction="none") * torch.tensor([1.0, 0.5, 2.0, 2.0])
    torch.testing.assert_close(task.loss(LOGITS, LABELS), plain.mean())
    parts = [task.loss(LOGITS[rows], LABELS[rows]) * len(rows) for rows in (torch.tensor([0]), torch.tensor([1, 2, 3]))]
    torch.testing.assert_close(sum(parts) / 4, plain.mean())
    task.eval()
    torch.testing.assert_close(task.loss(LOGITS, LABELS), F.cross_entropy(LOGITS, LABELS))


def test_smoothing_and_weights_hold_for_any_loss_and_for_mixed_labels() -> None:
    mixed = F.one_hot(LABELS, 3).float() * 0.6 + 0.4 / 3
    task = classification(loss="focal", label_smoothing=0.4)
    torch.testing.assert_close(task.loss(LOGITS, LABELS), losses.focal(LOGITS, mixed).mean())
    weighted = classification(class_weights=[1.0, 2.0, 0.5])
    weights = mixed @ torch.tensor([1.0, 2.0, 0.5])
    torch.testing.assert_close(
        weighted.loss(LOGITS, mixed), (weights * F.cross_entropy(LOGITS, mixed, reduction="none")).mean()
    )
    assert weighted.double().loss(LOGITS.double(), mixed).dtype == torch.float64  # of mixed labels in fp32


def test_weights_of_a_mean_are_refused() -> None:
    task = classification(loss=nn.CrossEntropyLoss(), class_weights=[1.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"class_weights needs the loss of each sample, \(4,\), and .* \(\); set its"):
        task.loss(LOGITS, LABELS)


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, 2.0, -1.0], [0.0, 0.0, 0.0], "even"])
def test_other_weights_are_refused(weights: Any) -> None:
    with pytest.raises(ValueError, match="must be balanced, or a list of 3 numbers of at least 0, one for each class"):
        classification(class_weights=weights)


def test_balanced_weights_have_the_mean_one_over_the_samples() -> None:
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    weights = balanced(labels, 3)
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    assert float(weights[labels].mean()) == pytest.approx(1)
    with pytest.raises(ValueError, match="balanced: class 3 has no sample in the training split"):
        balanced(labels, 4)


def test_a_run_keeps_its_balanced_weights(short: list[str]) -> None:
    """AND is true for a quarter of the points: the weights are of the training split, in the checkpoint."""
    run = trainyard.train([*short, *XOR, "data.gate=and", "task.class_weights=balanced", "task.loss=focal"])
    labels = run.data()
    labels.setup("fit")
    found = run.task().class_weights
    torch.testing.assert_close(found, balanced(labels.splits["train"].labels, 2).float())  # pyright: ignore
    assert found[1] > 1.8 and run.evaluate() == pytest.approx(run.summary["test"])


def margin(outputs: Tensor, labels: Tensor) -> Tensor:
    """A loss of a user's own, that nothing vectorizes: it asks for a value."""
    assert float(outputs.sum()) == float(outputs.sum())
    return F.multi_margin_loss(outputs, labels, reduction="none")


@pytest.mark.parametrize("target", ["test_losses.margin", "torch.nn.MultiMarginLoss"])
def test_any_function_or_module_is_a_loss(target: str, short: list[str]) -> None:
    run = trainyard.train([*short, *XOR, f"task.loss={{_target_: {target}}}"])
    found = run.evaluation()
    low, high = found.intervals["test/loss"]
    assert low < found.scores["test/loss"] < high


def test_a_loss_of_another_task_is_refused_before_training(short: list[str]) -> None:
    with pytest.raises(UserError, match="task=classification: task.loss=bce is unknown here. It is a loss of task=mul"):
        trainyard.train([*short, *XOR, "task.loss=bce"])
