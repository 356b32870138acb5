"""Networks of torchvision by name."""

import pytest

import trainyard
from trainyard.models.torchvision_classifier import torchvision_classifier


def test_what_does_not_fit_is_refused() -> None:
    assert torchvision_classifier("squeezenet1_1", [3, 32, 32], 5, dropout=0.1).classifier[0].p == 0.1
    for name, shape, message in (
        ("resnet18", [1, 28, 28], r"resnet18 takes images with 3 channels, and data.shape=\[1, 28, 28\] has 1"),
        ("resnet19", [3, 32, 32], "model.name=resnet19 is no classifier of torchvision; there are .*resnet18"),
        ("resnet18", [2], r"takes images \(channels, height, width\), not samples of shape \[2\]"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            torchvision_classifier(name, shape, 5)


def test_it_has_the_outputs_of_other_tasks(short: list[str]) -> None:
    """A regression of the class number, on images."""
    words = ["data=shapes", "data.size=200", "data.test_size=100", "task=regression", "task.backbone_lr_scale=0.5"]
    run = trainyard.train([*short, *words, "model=torchvision", "model.name=squeezenet1_1", "callbacks.pictures=null"])
    assert "test/mae" in run.summary["test"] and run.cfg.model.num_classes == 1
