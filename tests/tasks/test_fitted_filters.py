"""A task fits whitening filters to its training split, once, before the first step."""

import pytest
import torch

import trainyard
from trainyard.models.layers.whitening import whitening_filters

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "callbacks.pictures=null", "logger=none", "test=false"]
AIRBENCH = ["model=airbench", "model.widths=[4,8]", "optimizer=sgd", "optimizer.lr=0.1"]


def weights(run: trainyard.Run) -> dict[str, torch.Tensor]:
    return torch.load(run.path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]


def training_images(run: trainyard.Run) -> torch.Tensor:
    data = run.data()
    data.setup("fit")
    samples = data.splits["train"]
    return data.transform(samples.inputs[samples.rows], None)


def test_the_filters_are_those_of_the_training_images_and_stay(short: list[str], tmp_path) -> None:
    """Also in a run that begins with the weights of this one, whose data is another."""
    words = [*short, *SHAPES, *AIRBENCH, "model.bias_epochs=1", f"run.dir={tmp_path / 'a'}"]
    run = trainyard.train([*words, "trainer.max_epochs=1"])
    filters = whitening_filters([training_images(run)], (2, 2))
    found = weights(run)
    torch.testing.assert_close(found["net.whitening.weight"], torch.cat((filters, -filters)), atol=2e-3, rtol=1e-2)
    assert found["net.whitening.bias"].any()
    words[-1] = f"run.dir={tmp_path / 'b'}"
    other = trainyard.train([*words, f"pretrained={run.path}", "data.noise=0.5"])
    assert torch.equal(weights(other)["net.whitening.weight"], found["net.whitening.weight"])


def test_the_bias_trains_for_so_many_epochs(short: list[str]) -> None:
    """Its epochs over, it keeps its value to the bit, whatever weight decay and momentum are."""
    runs = [
        trainyard.train([*short, *SHAPES, *AIRBENCH, "model.bias_epochs=1", f"trainer.max_epochs={epochs}",
                         "monitor=val/loss", "callbacks.best.monitor=null", "scheduler=constant"])
        for epochs in (1, 2)
    ]  # fmt: skip
    one, two = map(weights, runs)
    assert torch.equal(one["net.whitening.bias"], two["net.whitening.bias"])
    assert not torch.equal(one["net.head.weight"], two["net.head.weight"])


def test_any_first_convolution_can_begin_with_them(short: list[str]) -> None:
    words = [
        *short,
        *SHAPES,
        "model=resnet18",
        "model.width=8",
        "optimizer=sgd",
        "optimizer.lr=0",
        "trainer.max_epochs=1",
    ]
    run = trainyard.train([*words, "task.whiten=stem.0"])
    half = whitening_filters([training_images(run)], (3, 3))[:4]
    torch.testing.assert_close(weights(run)["net.stem.0.weight"], torch.cat((half, -half)), atol=2e-3, rtol=1e-2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=resnet18", "model.width=4", "task.whiten=stem.0", "pretrained=a.pt"],
         "task.whiten=stem.0 would replace filters that pretrained=a.pt brings"),
        (["model=resnet18", "model.width=4", "task.whiten=stem.1"], "task.whiten=stem.1 is no convolution over the . "
         "channels of the images; ResNet has stem.0"),
        (["model=mlp", "data=xor", "task.whiten=stem.0"], "XOR does not tell any"),
        (["model=mlp", "task.views=mirror", "data=xor"], r"task.views=mirror are those of images, .* shape \[2\]"),
    ],
)  # fmt: skip
def test_what_has_no_images_or_no_such_convolution_is_refused(words: list[str], message: str, short: list[str]) -> None:
    with pytest.raises(Exception, match=message):
        trainyard.train([*short, "logger=none", "data=shapes", *words])
