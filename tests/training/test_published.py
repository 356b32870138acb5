"""pretrained=FILE with the weights of torchvision's networks, saved here in the forms in which they are published."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import ResNet18_Weights, get_model

import trainyard
from trainyard.errors import UserError
from trainyard.training.published import check_normalization, match_names, read_file

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none", "callbacks.pictures=null"]
RESNET = ["model=torchvision", "model.name=resnet18"]
STILL = ["optimizer=sgd", "optimizer.lr=0", "scheduler=constant"]  # a training that changes no weight
PUBLISHED = Path(ResNet18_Weights.DEFAULT.url).name
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision publishes it, of 1,000 classes and of its name, with random weights."""
    torch.manual_seed(7)
    file = tmp_path_factory.mktemp("published") / PUBLISHED
    torch.save(get_model("resnet18").state_dict(), file)
    return file


def weights_of(run: trainyard.Run) -> dict[str, Tensor]:
    return dict(run.task().net.named_parameters())


def test_published_weights_go_to_a_network_of_other_classes(published: Path, short: list[str], caplog) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    run = trainyard.train([*short, *SHAPES, *RESNET, *STILL, f"pretrained={published}"])
    theirs, ours = torch.load(published, weights_only=True), weights_of(run)
    assert all(torch.equal(theirs[name], value) for name, value in ours.items() if not name.startswith("fc."))
    assert ours["fc.weight"].shape == (10, 512)
    assert "of another shape: fc.weight is (1000, 512) there and (10, 512) here" in caplog.text
    assert (
        "these weights want images with mean [0.485,0.456,0.406], std [0.229,0.224,0.225], and here they have "
        "data.mean=[0.5,0.5,0.5], data.std=[0.3,0.3,0.3]; set data.mean=[0.485,0.456,0.406] data.std="
    ) in caplog.text


def test_the_normalization_they_want_is_no_warning(caplog) -> None:
    model = {"_target_": "torchvision.models.get_model", "name": "resnet18"}
    check_normalization("x.pth", torch.nn.ReLU(), model, IMAGENET)
    check_normalization("x.pth", torch.nn.ReLU(), model, {"num_classes": 3})
    check_normalization("x.pth", torch.nn.ReLU(), {"_target_": "my.Net"}, {"mean": [0.5], "std": [0.5]})
    assert not caplog.records
    check_normalization("x.pth", torch.nn.ReLU(), model, {"mean": [0.485], "std": [0.229]})
    assert len(caplog.records) == 1


def test_weights_in_wrappings_are_found(published: Path, tmp_path: Path) -> None:
    weights = torch.load(published, weights_only=True)
    torch.save({"model": {f"module.{name}": value for name, value in weights.items()}, "epoch": 3}, tmp_path / "a.pth")
    net = get_model("resnet18")
    for found in (match_names(read_file(tmp_path / "a.pth"), net), match_names(weights, net)):
        assert found.keys() == weights.keys() and torch.equal(found["fc.bias"], weights["fc.bias"])
    wrapper = torch.nn.ModuleDict({"model": net})
    assert match_names(weights, wrapper).keys() == {f"model.{name}" for name in weights}


def test_safetensors_are_read_and_a_damaged_file_is_refused(published: Path, tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.torch", reason="the extra export").save_file
    weights, file = torch.load(published, weights_only=True), tmp_path / "a.safetensors"
    save_file(weights, file)
    assert torch.equal(read_file(file)["fc.weight"], weights["fc.weight"])
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"a.safetensors cannot be read"):
        read_file(file)


def test_a_run_is_the_pretraining_of_one_with_other_classes(short: list[str], caplog) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    words = [*short, *SHAPES, "model=torchvision", "model.name=squeezenet1_1"]
    first = trainyard.train(words)
    few = ["data.classes=[ring,disc,star]", f"pretrained={first.path}", "callbacks=finetune"]
    second = trainyard.train([*words, "callbacks.pictures=null", *few])
    before, after = weights_of(first), weights_of(second)
    assert all(torch.equal(value, after[name]) for name, value in before.items() if "classifier" not in name)
    assert "of another shape: classifier.1.weight is (10, 512, 1, 1) there and (3, 512, 1, 1) here" in caplog.text
    with pytest.raises(UserError, match="weights of the network squeezenet1_1, which do not fit the network resnet18"):
        trainyard.train([*short, *SHAPES, *RESNET, f"pretrained={first.path}"])


def test_the_head_can_have_a_rate_of_its_own_and_any_name(short: list[str]) -> None:
    words = [*short, *SHAPES, *RESNET, "task.backbone_lr_scale=0.1"]
    with pytest.raises(UserError, match="task.head=top is no part of ResNet; name it as task.head=..., of .*, fc"):
        trainyard.train([*words, "task.head=top"])
    assert trainyard.train([*words, "task.head=fc"]).summary["steps"] == 4
