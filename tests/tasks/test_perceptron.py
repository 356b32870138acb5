import pytest
import torch

import trainyard
from trainyard.models.perceptron import Perceptron
from trainyard.tasks.perceptron import PerceptronRule

PARTS = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}


def test_sgd_on_the_loss_is_rosenblatts_rule_to_the_bit() -> None:
    """On every mistake w += t x and b += t, with t in {-1, +1}; else nothing."""
    torch.manual_seed(0)
    task = PerceptronRule(num_classes=2, net=Perceptron([3], 2), **PARTS)
    optimizer = torch.optim.SGD(task.net.parameters(), lr=1.0)
    weight, bias = torch.zeros(3), torch.zeros(1)
    for _ in range(200):
        x, y = torch.randn(3), torch.randint(2, (1,))
        loss = task.score((x[None], y)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        t = 2 * y - 1
        if t * (weight @ x + bias) <= 0:
            weight, bias = weight + t * x, bias + t
        assert torch.equal(task.net.unit.weight[0], weight) and torch.equal(task.net.unit.bias, bias)


def test_and_is_learnt_exactly(short: list[str]) -> None:
    run = trainyard.train(["experiment=and_perceptron", *(w for w in short if w.startswith(("run.", "hardware")))])
    assert run.summary["test"]["test/accuracy"] == 1


def test_xor_never_passes_three_of_four(short: list[str]) -> None:
    words = [word for word in short if word.startswith(("run.", "hardware"))]
    run = trainyard.train(["experiment=xor_perceptron", "trainer.max_epochs=50", *words])
    assert run.summary["best"]["val/accuracy"] <= 0.75
    assert run.summary["test"]["test/accuracy"] <= 0.75


def test_more_than_two_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="the perceptron rule separates 2 classes, not 10"):
        PerceptronRule(num_classes=10, net=torch.nn.Linear(2, 10), **PARTS)


def test_shares_of_classes_are_refused() -> None:
    task = PerceptronRule(num_classes=2, net=Perceptron([3], 2), **PARTS)
    with pytest.raises(ValueError, match="takes class indices, not probabilities; set data.mix=none"):
        task.score((torch.zeros(4, 3), torch.full((4, 2), 0.5)))


@pytest.mark.parametrize(
    ("name", "value"), [("loss", "focal"), ("class_weights", [1.0, 2.0]), ("class_weights", "balanced"),
                        ("label_smoothing", 0.1)]
)  # fmt: skip
def test_what_the_rule_would_ignore_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"task.{name}=.* would not change; leave it out, or use task=classification"):
        PerceptronRule(num_classes=2, net=Perceptron([3], 2), **{name: value}, **PARTS)


def test_metrics_may_be_added_to_the_rule() -> None:
    task = PerceptronRule(num_classes=2, net=Perceptron([3], 2), metrics=["auroc"], class_weights=None, **PARTS)
    assert "val/auroc" in task.scores()
