"""Training on from weights that exist already."""

import logging
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

import trainyard
from trainyard.config.validate import check_pretrained_data
from trainyard.errors import UserError
from trainyard.training.pretrained import check_tokenizer

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none"]
FEWER = "data.classes=[disc,ring,square]"
SMALL = {
    "mlp": ["model=mlp", "model.widths=[16,8]", "model.batch_norm=true"],
    "cnn": ["model=cnn", "model.dense=16", "model.stages=[[4],[8]]"],
    "resnet18": ["model=resnet18", "model.width=4"],
}
STILL = ["optimizer=sgd", "optimizer.lr=0", "scheduler=constant"]  # a training that changes no weight


def state(run: trainyard.Run, checkpoint: str = "best") -> dict[str, Tensor]:
    return run.task(checkpoint).net.state_dict()


@pytest.fixture(scope="module")
def mlp(short: list[str]) -> trainyard.Run:
    return trainyard.train([*short, *SHAPES, *SMALL["mlp"]])


@pytest.fixture
def copied(mlp: trainyard.Run, tmp_path: Path) -> Path:
    """A run directory with the weights of `mlp`, whose config a test may change."""
    (tmp_path / "there" / "checkpoints").mkdir(parents=True)
    for name in ("config.resolved.yaml", "checkpoints/best.ckpt"):
        (tmp_path / "there" / name).write_bytes((mlp.path / name).read_bytes())
    return tmp_path / "there"


def edit(run: Path, group: str, **values: object) -> None:
    file = run / "config.resolved.yaml"
    config = yaml.safe_load(file.read_text())
    config[group] |= values
    file.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("model", SMALL)
def test_a_base_goes_to_a_head_of_other_classes(model: str, short: list[str], caplog) -> None:
    first = trainyard.train([*short, *SHAPES, *SMALL[model]])
    caplog.set_level(logging.INFO, logger="trainyard")
    second = trainyard.train([*short, *SHAPES, FEWER, *SMALL[model], *STILL, f"pretrained={first.path}"])
    before, after = state(first), state(second)
    base = [name for name in before if not name.startswith("head.") and "running_" not in name and "num_b" not in name]
    assert base and all(torch.equal(before[name], after[name]) for name in base)
    assert after["head.weight"].shape[0] == 3
    (line,) = [r.getMessage() for r in caplog.records if "weights copied" in r.getMessage()]
    assert f"{len(before) - 2} of the network's {len(before)} weights" in line
    assert "of another shape: head.weight is (10, " in line and "there and (3, " in line


def test_a_head_for_other_classes_is_initialized_even_if_there_are_as_many(
    mlp: trainyard.Run, short: list[str], caplog
) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    again = "data.classes=[ring,disc,square,triangle,cross,star,stripes,checks,dots,waves]"
    words = [*short, *SHAPES, *SMALL["mlp"], *STILL, f"pretrained={mlp.path}"]
    same, other = state(trainyard.train(words)), state(trainyard.train([*words, again]))
    assert torch.equal(same["head.weight"], state(mlp)["head.weight"])
    assert not torch.equal(other["head.weight"], state(mlp)["head.weight"])
    assert torch.equal(other["body.1.weight"], state(mlp)["body.1.weight"])
    assert "for other classes: head.weight, head.bias" in caplog.text


def test_a_file_serves_as_well_as_a_run_and_evaluating_needs_it_no_more(
    mlp: trainyard.Run, short: list[str], tmp_path: Path
) -> None:
    torch.save(state(mlp), tmp_path / "plain.pt")
    for path in (tmp_path / "plain.pt", mlp.path / "checkpoints" / "best.ckpt"):
        copy = tmp_path / "copy.pt"
        copy.write_bytes(path.read_bytes())
        run = trainyard.train([*short, *SHAPES, *SMALL["mlp"], *STILL, f"pretrained={copy}"])
        copy.unlink()
        assert all(torch.equal(state(run)[name], p) for name, p in mlp.task().net.named_parameters())


def refused(short: list[str], message: str, *words: str) -> None:
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, *SHAPES, *SMALL["mlp"], *words])


def test_what_is_not_a_weights_file_is_refused(short: list[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.pt").write_text("hello")
    torch.save({"net": torch.nn.ReLU()}, tmp_path / "object.pt")
    refused(short, "is a URL; download it first", "pretrained=https://example.org/x.pt")
    refused(short, "neither a run directory nor a weights file", f"pretrained={tmp_path}/x.pt")
    refused(short, "is not a run with weights", f"pretrained={tmp_path}/empty")
    refused(short, "text.pt cannot be read: it is not a whole zip archive", f"pretrained={tmp_path}/text.pt")
    refused(short, "object.pt contains more than plain data", f"pretrained={tmp_path}/object.pt")
    refused(short, "the network MLP has no published weights", "pretrained=imagenet")


def test_another_network_is_refused_by_name(mlp: trainyard.Run, short: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 16 weights of the network MLP, which do not fit the network CNN"):
        trainyard.train([*short, *SHAPES, *SMALL["cnn"], f"pretrained={mlp.path}"])
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pt")
    refused(short, "has 1 weights named a, which do not fit the network MLP", f"pretrained={tmp_path}/a.pt")


def test_another_shape_is_refused_with_the_key_that_made_it(mlp: trainyard.Run, short: list[str]) -> None:
    message = (
        r"body.4.weight is \(8, 16\) there and \(9, 16\) here, and only the head may differ "
        r"\(model.widths=\[16, 8\] there, \[16, 9\] here\)"
    )
    refused(short, message, "model.widths=[16,9]", f"pretrained={mlp.path}")


def test_what_fits_but_was_configured_differently_is_reported(mlp: trainyard.Run, short: list[str], caplog) -> None:
    trainyard.train([*short, *SHAPES, *SMALL["mlp"], "model.activation=tanh", f"pretrained={mlp.path}"])
    assert "the networks are configured differently (model.activation=relu there, tanh here)" in caplog.text


def test_texts_and_images_are_distinguished_and_so_are_vocabularies(copied: Path, short: list[str]) -> None:
    edit(copied, "data", vocab_size=10_000)
    refused(short, r"was trained on texts of 10,000 tokens, and this network takes samples of shape \[3, 32, 32\]",
            f"pretrained={copied}")  # fmt: skip

    with pytest.raises(UserError, match="has data.vocab_size=10000, and here it is 500: .*set data.vocab_size=10000"):
        check_pretrained_data("x", {"vocab_size": 10_000}, {"vocab_size": 500})
    check_pretrained_data("x", {"vocab_size": 500}, {"vocab_size": 500})


def test_another_tokenizer_is_refused(copied: Path) -> None:
    class Texts(trainyard.Run):  # anything that knows its tokenizer
        def tokenizer_json(self) -> str:
            return "{}"

    data = Texts(copied)
    check_tokenizer(str(copied), data)  # pyright: ignore
    (copied / "tokenizer.json").write_text("{}")
    check_tokenizer(str(copied), data)  # pyright: ignore
    (copied / "tokenizer.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match="has its own tokenizer"):
        check_tokenizer(str(copied), data)  # pyright: ignore


def test_a_refusal_leaves_no_directory(short: list[str], tmp_path: Path) -> None:
    refused(short, "neither a run", "pretrained=nowhere", f"run.root={tmp_path}/outputs")
    assert not (tmp_path / "outputs").exists()
