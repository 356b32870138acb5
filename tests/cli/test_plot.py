"""The figures of runs as PNG files."""

import re
from pathlib import Path

import pytest
from PIL import Image

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError


@pytest.fixture(scope="module")
def xor(short: list[str]) -> trainyard.Run:
    return trainyard.train([*short, "model=mlp", "data=xor"])


def test_curves_rates_and_a_boundary(run: trainyard.Run, xor: trainyard.Run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_command(["plot", "curves", str(run.path), str(xor.path), "out=both.png"])
    run_command(["plot", "lr", str(run.path)])
    run_command(["plot", "boundary", str(xor.path)])
    sizes = {name: Image.open(f"{name}.png").size for name in ("both", "lr", "boundary")}
    assert all(width > 400 and height > 300 for width, height in sizes.values())
    assert len(Image.open("boundary.png").convert("RGB").getcolors(1 << 24)) > 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["curves"], "plot curves takes runs; write trainyard plot curves RUN"),
        (["lr", "{run}", "{run}"], "plot lr takes one run"),
        (["curves", "nowhere"], "nowhere is not a run: it has no config.resolved.yaml"),
        (["boundary", "{run}"], "has inputs of shape [3, 32, 32] and 10 classes; a decision boundary is drawn of"),
        (["lr", "{run}", "out={run}"], "cannot be written (Is a directory)"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str], said: str, run: trainyard.Run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(said)):
        run_command(["plot", *(word.format(run=run.path) for word in words)])
    assert not list(tmp_path.iterdir())


def test_the_images_of_a_run_as_it_augments_them(run: trainyard.Run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_command(["plot", "augment", str(run.path), "data.augment=flip"])
    assert Image.open("augment.png").size == (2 + 10 * 34, 2 + 6 * 34)


def test_attention_of_a_run_and_of_one_that_has_none(
    run: trainyard.Run, short: list[str], tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["model=vit", "data=shapes", "data.size=200", "data.test_size=100", "model.dim=8", "model.depth=2",
             "model.heads=2", "model.ff_dim=8", "model.patch_size=8"]  # fmt: skip
    vit = trainyard.train([*short, *words])
    run_command(["plot", "attention", str(vit.path)])
    assert len(Image.open("attention.png").convert("RGB").getcolors(1 << 24)) > 20
    with pytest.raises(UserError, match="has no attention that could be drawn: MLP on Shapes; choose a run of vit on"):
        run_command(["plot", "attention", str(run.path)])
