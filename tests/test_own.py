"""Parts from outside the package: the examples of docs/extending.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import processes
import pytest
import torch
from conftest import ROOT
from lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset, random_split

from trainyard.training.launch import train

PAGE = (ROOT / "docs" / "extending.md").read_text()
COMMANDS = re.findall(r"^    trainyard train (.*)$", PAGE, re.MULTILINE)
SHORT = [f"trainer.limit_{split}_batches=2" for split in ("train", "val", "test")]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The files that docs/extending.md shows, each a code block under its name."""
    for name, text in re.findall(r"`([\w/.]+)`:\n\n```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def trainyard(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return processes.run(
        processes.trainyard, "train", *words, "trainer.max_epochs=2", "hardware.threads=1", folder=folder
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_trains(command: str, example: Path) -> None:
    done = trainyard(example, *command.split(), *SHORT)
    assert done.returncode == 0, done.stderr
    (run,) = example.glob("outputs/*/*")
    if command == COMMANDS[0]:
        again = processes.run(processes.trainyard, "evaluate", str(run), "debug=true", folder=example)
        assert "test/accuracy" in again.stdout, again.stderr
    logged = (run / "metrics.jsonl").read_text()
    for choice, name in {"with_mcc": "test/mcc", "largest_weight": "largest_weight", "bumps": "test/mae"}.items():
        assert (name in logged) == (choice in command or ("experiment=" in command and choice != "bumps"))


def test_the_page_uses_every_file_that_it_shows(example: Path) -> None:
    chosen = {word for command in COMMANDS for word in re.split("[ =]", command)}
    assert {file.stem for file in example.glob("conf/*/*.yaml")} <= chosen | {"regression"}  # which its data chooses


def test_a_conf_folder_elsewhere_can_be_named(example: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    words = [
        "--config-dir",
        str(example / "conf"),
        "model=spiral_net",
        "data=shapes",
        "data.size=200",
        "data.test_size=100",
    ]
    done = trainyard(elsewhere, *words)
    assert done.returncode == 0, done.stderr


def test_a_plain_data_module_has_one_split_whenever_it_is_read(tmp_path: Path) -> None:
    """Its split is not seeded, and Lightning sets it up for the training, for the test and to evaluate it."""
    words = ["trainer.max_epochs=1", "hardware=cpu", f"run.dir={tmp_path}/run", f"run.root={tmp_path}"]
    run = train(["data=xor", "data._target_=test_own.UnseededSplit", "model=mlp", *words])
    assert run.evaluate() == pytest.approx(run.summary["test"])
    assert "UnseededSplit is not a DataModule of Trainyard: resume" in (run.path / "run.log").read_text()


class UnseededSplit(LightningDataModule):
    """As Lightning's documentation has it."""

    def __init__(self, **_: Any) -> None:
        super().__init__()

    def setup(self, stage: str) -> None:
        points = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        self.parts = random_split(TensorDataset(points, (points.prod(dim=1) > 0).long()), [100, 50, 50])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[0], batch_size=8, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[1], batch_size=8)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[2], batch_size=8)


@pytest.mark.slow
def test_the_wheel_brings_the_same_config_and_the_users_own(example: Path, tmp_path_factory) -> None:
    """Built, installed into a folder of its own, used from another."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = place.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(place / "site"),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    shipped = {
        str(file.relative_to(place / "site/trainyard/conf")) for file in (place / "site/trainyard/conf").rglob("*.yaml")
    }
    assert shipped == {str(file.relative_to(ROOT / "conf")) for file in (ROOT / "conf").rglob("*.yaml")}
    starter = {file.name for file in (ROOT / "src/trainyard/starter").rglob("*") if file.suffix != ".pyc"}
    assert starter <= {file.name for file in (place / "site/trainyard/starter").rglob("*")}
    words = ["model=spiral_net", "data=spirals", "trainer.max_epochs=1", "hardware.threads=1"]
    env = {**os.environ, "PYTHONPATH": str(place / "site")}
    script = [sys.executable, str(place / "site" / "bin" / "trainyard"), "train"]
    done = subprocess.run([*script, *words], cwd=example, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    where = [sys.executable, "-c", "import trainyard; print(trainyard.__file__)"]
    assert str(place) in subprocess.run(where, env=env, cwd=example, capture_output=True, text=True).stdout
