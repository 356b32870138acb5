"""Networks of timm: what they say of themselves is used."""

import logging
from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.optim.head import find_head

timm = pytest.importorskip("timm", reason="the extra timm")
SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none", "callbacks.pictures=null", "model=timm"]


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto", "vit_tiny_patch16_224", "efficientnet_b0", "dla34"])
def test_their_head_is_what_other_classes_change(name: str) -> None:
    with torch.device("meta"):
        few, many = (timm.create_model(name, num_classes=classes).state_dict() for classes in (7, 10))
        head = find_head(timm.create_model(name))
    assert {f"{part}.{kind}" for part in head for kind in ("weight", "bias")} == {
        key for key, value in few.items() if value.shape != many[key].shape
    }


def test_weights_as_timm_publishes_them(tmp_path: Path, short: list[str], caplog) -> None:
    """Of 1,000 classes, in a .safetensors file, for images normalized with ImageNet's mean and deviation."""
    save_file = pytest.importorskip("safetensors.torch", reason="the extra huggingface").save_file
    caplog.set_level(logging.INFO, logger="trainyard")
    torch.manual_seed(3)
    theirs = timm.create_model("resnet10t").state_dict()
    save_file(theirs, tmp_path / "model.safetensors")
    still = ["optimizer=sgd", "optimizer.lr=0", "scheduler=constant", "callbacks=finetune"]
    run = trainyard.train([*short, *SHAPES, *still, f"pretrained={tmp_path}/model.safetensors"])
    ours = run.task().net.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items() if not name.startswith("fc."))
    assert "of another shape: fc.weight is (1000, 512) there and (10, 512) here" in caplog.text
    assert "these weights want images with mean [0.485,0.456,0.406], std [0.229,0.224,0.225]" in caplog.text


def test_a_network_that_knows_its_size_gets_it(short: list[str]) -> None:
    words = ["model.model_name=vit_tiny_patch16_224", "model.img_size=32", "trainer.max_epochs=1"]
    run = trainyard.train([*short, *SHAPES, *words])
    assert run.evaluate() == pytest.approx(run.summary["test"])
