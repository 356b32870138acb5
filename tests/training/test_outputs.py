"""A network whose output no task understands is refused before the run, with both shapes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import trainyard
from trainyard.errors import UserError
from trainyard.models.resnet import ResNet

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none", "callbacks.pictures=null"]


class Wrong(nn.Module):
    """Returns what `kind` says; it has batch norm, and draws, both of which a trial must not change."""

    def __init__(self, kind: str, num_classes: int, shape: list[int]) -> None:
        super().__init__()
        self.kind = kind
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes), nn.BatchNorm1d(num_classes))

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor] | tuple[Tensor, Tensor]:
        logits = self.layers(x) + torch.rand(1)
        if self.kind == "dict":
            return {"logits": logits}
        if self.kind == "pair":
            return logits, logits
        return {"many": torch.cat([logits, logits], dim=1), "map": logits[..., None, None]}.get(self.kind, logits)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("dict", r"Wrong returns dict of logits \(2, 10\) for a batch of \[\(2, 3, 32, 32\), \(2\,\)\], which"),
        ("pair", r"Wrong returns \[\(2, 10\), \(2, 10\)\] for a batch of .*, which Classification does not understand"),
        ("many", r"Wrong returns \(2, 20\) .*: there are 10 classes, and 20 outputs for each sample"),
        ("map", r"Wrong returns \(2, 10, 1, 1\) for a batch of .*, which Classification does not understand"),
    ],
)
def test_an_output_that_no_task_understands_is_refused(
    kind: str, message: str, short: list[str], tmp_path: Path
) -> None:
    words = [*SHAPES, "model=torchvision", "model._target_=test_outputs.Wrong", f"+model.kind={kind}", "~model.name"]
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, *words, f"run.root={tmp_path}/outputs"])
    assert not (tmp_path / "outputs").exists()


def test_googlenet_of_torchvision_returns_more_than_logits(short: list[str]) -> None:
    words = [*short, *SHAPES, "model=torchvision", "model.name=googlenet", "+model.init_weights=false"]
    with pytest.raises(UserError, match="GoogLeNet returns a GoogLeNetOutputs .* Classification does not understand"):
        trainyard.train(words)


def test_a_trial_changes_nothing(short: list[str]) -> None:
    """The same network, of which the trial knows nothing but that it is Trainyard's own: the same weights."""
    words = [*short, *SHAPES, "model=resnet18", "model.width=4"]
    own, other = (trainyard.train([*words, *more]) for more in ([], ["model._target_=test_outputs.Same"]))
    before, after = (run.task("last").net.state_dict() for run in (own, other))
    assert all(torch.equal(value, after[name]) for name, value in before.items())


class Same(ResNet):
    pass


class PartlyFixed(ResNet):
    """Its stem is in evaluation mode for good."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.stem.eval()


def test_a_trial_leaves_what_is_in_evaluation_mode(short: list[str]) -> None:
    words = [*short, *SHAPES, "model=resnet18", "model.width=4", "model._target_=test_outputs.PartlyFixed"]
    net = trainyard.train(words).task("last").net
    assert torch.equal(net.stem[1].running_mean, torch.zeros(4))
    assert net.stem[1].num_batches_tracked == 0
