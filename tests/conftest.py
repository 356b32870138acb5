"""What several test files share: runs that take a second, and datasets made on the spot."""

import logging
import os
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import processes
import pytest
import slow
import torch
from PIL import Image

import trainyard
from trainyard.data import imdb
from trainyard.data.cifar10 import CIFAR10, PIXELS

ROOT = Path(__file__).parents[1]
for folder in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):  # tokens and the key of these tests are no one else's
    os.environ[folder] = tempfile.mkdtemp(prefix="trainyard-")
SMALL_REVIEWS = 20
EXTRAS = {"timm": "timm", "hf_text": "transformers", "hf_causal": "transformers"}  # models, and the package they need
torch.set_num_threads(1)  # the tests run beside each other
logging.getLogger("trainyard").setLevel(logging.INFO)  # as in a command; caplog.set_level returns to this, too


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the real data run where it is; those in slow.txt are slow."""
    root, names = Path(os.environ.get("TRAINYARD_DATA", "/nowhere")), slow.listed()
    for item in items:
        if item.nodeid in names:
            item.add_marker(pytest.mark.slow)
        if marker := item.get_closest_marker("real_data"):
            folder = marker.args[0] if marker.args else CIFAR10.FOLDER
            if not (root / folder).is_dir():
                item.add_marker(pytest.mark.skip(reason=f"TRAINYARD_DATA names no folder with {folder}"))


def options(group: str) -> list[str]:
    """The choices of a config group: a new YAML is tested the moment it exists."""
    return sorted(file.stem for file in (ROOT / "conf" / group).glob("*.yaml"))


def need_package(model: str) -> None:
    """Skip the test of a network whose package is not installed; CI installs it."""
    if model in EXTRAS:
        pytest.importorskip(EXTRAS[model], reason=f"model={model} needs the package {EXTRAS[model]}")


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that make a run of any kind a matter of two steps."""
    limits = [f"trainer.limit_{split}_batches=2" for split in ("train", "val", "test")]
    return [
        *limits, "trainer.max_epochs=2", "hardware=cpu", "hardware.threads=1", "trainer.check_val_every_n_epoch=1",
        "trainer.log_every_n_steps=1",
        "data.batch_size=8", "data.eval_batch_size=8", f"run.root={tmp_path_factory.mktemp('outputs')}",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def run(short: list[str]) -> trainyard.Run:
    """A finished run on the embedded shapes."""
    words = [*short, "callbacks.pictures=null", "model=mlp", "data=shapes", "data.size=200", "data.test_size=100"]
    return trainyard.train(words)


@pytest.fixture(scope="session")
def cifar10_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in in CIFAR-10's published layout: each image has one gray value, which determines its label."""
    root = tmp_path_factory.mktemp("cifar")
    folder = root / CIFAR10.FOLDER
    folder.mkdir()
    labels = (np.arange(10_000) % 10).astype(np.uint8)
    records = np.repeat(20 * labels[:, None], 1 + PIXELS, axis=1)
    records[:, 0] = labels
    for name in [*CIFAR10.FILES["train"], *CIFAR10.FILES["test"]]:
        (folder / name).write_bytes(records.tobytes())
    return root


@pytest.fixture(scope="session")
def imdb_root(cifar10_root: Path) -> Path:
    """A stand-in in IMDB's published layout: twenty short reviews a class, beside that of CIFAR-10."""
    for split in ("train", "test"):
        for word, name in (("bad", "neg"), ("good", "pos")):
            folder = cifar10_root / imdb.FOLDER / split / name
            folder.mkdir(parents=True)
            for i in range(SMALL_REVIEWS):
                (folder / f"{i}_7.txt").write_text(
                    f"This film is {word}!<br />A {word} one, number {i}. " + "So it is. " * i
                )
    (cifar10_root / imdb.UNSUP).mkdir()
    for i in range(SMALL_REVIEWS):  # without a label, and without a tag
        (cifar10_root / imdb.UNSUP / f"{i}_0.txt").write_text(f"This film is unknown!A curious one, number {i}.")
    return cifar10_root


@pytest.fixture
def small_imdb(imdb_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, with its own size taken for the published one."""
    monkeypatch.setattr(imdb, "REVIEWS", SMALL_REVIEWS)
    monkeypatch.setattr(imdb, "UNLABELLED", SMALL_REVIEWS)
    monkeypatch.setenv("TRAINYARD_DATA", str(imdb_root))
    return imdb_root


@pytest.fixture
def image_root(tmp_path: Path) -> Path:
    """A folder of images: two classes, two splits, sizes that differ."""
    root = tmp_path / "images"
    for split in ("train", "test"):
        for label, name in enumerate(("dark", "light")):
            (root / split / name).mkdir(parents=True)
            for i in range(10):
                image = np.full((20 + i, 30, 3), 40 + 160 * label, dtype=np.uint8)
                Image.fromarray(image).save(root / split / name / f"{i}.{'png' if i % 2 else 'jpg'}")
    return root


@pytest.fixture
def text_root(tmp_path: Path) -> Path:
    """Labelled texts, as a folder and as tables."""
    root = tmp_path / "texts"
    for split in ("train", "test"):
        rows = ["text,label"]
        for name in ("bad", "good"):
            (root / split / name).mkdir(parents=True)
            for i in range(12):
                text = f"A {name} film, {i} times {name}."
                (root / split / name / f"{i}.txt").write_text(text)
                rows.append(f'"{text}",{name}')
        (root / f"{split}.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Run `python train.py ...` in a process of its own, its outputs below tmp_path."""
    return partial(processes.run, processes.train, folder=tmp_path)
