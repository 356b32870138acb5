"""trainyard init: a folder in which a newcomer trains, resumes, sweeps and tests, without a change to it."""

import os
import subprocess
import sys
from pathlib import Path

import processes
import pytest

from trainyard.cli.init import STARTER, starter_files
from trainyard.cli.main import run_command
from trainyard.errors import UserError

SHORT = ["data.size=300", "hardware=cpu", "hardware.threads=1", "callbacks.pictures=null"]
OURS = ["model=mine", "data=mine", *SHORT]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder that the command has written."""
    run_command(["init", str(tmp_path / "mine")])
    return tmp_path / "mine"


def trainyard(folder: Path, *words: str, **env: str) -> str:
    done = processes.run(processes.trainyard, *words, folder=folder, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_what_it_has_written_and_what_is_next(tmp_path: Path) -> None:
    said = trainyard(tmp_path, "init", "a folder")
    assert said.splitlines()[1] == "next: cd 'a folder' && python train.py model=mine data=mine"
    written = {str(file.relative_to(tmp_path / "a folder")) for file in tmp_path.rglob("*") if file.is_file()}
    assert set(said.splitlines()[0].removeprefix("a folder: ").split(", ")) == written
    assert {".gitignore", "README.md", "conf/model/mine.yaml", "my_network.py", "test_mine.py"} <= written


def test_a_newcomer_trains_resumes_and_sweeps(mine: Path) -> None:
    words = ["scheduler=constant", "trainer.max_epochs=1", "run.dir=outputs/one"]
    assert "epoch 1/1" in trainyard(mine, "train", *OURS, *words)
    assert "epoch 2/2" in trainyard(mine, "train", "resume=outputs/one", "trainer.max_epochs=2")
    assert "test/accuracy" in trainyard(mine, "evaluate", "outputs/one")
    jobs = trainyard(mine, "train", "-m", "experiment=mine", *SHORT, "trainer.max_epochs=1", "model.width=8,16")
    assert "2 jobs" in jobs and "model.width=16" in jobs and "failed" not in jobs
    assert "mine" in trainyard(mine, "ls", "outputs")


def test_help_and_tab_know_its_options(mine: Path) -> None:
    """They come from the conf folder where the command is called."""
    assert "mine" in trainyard(mine, "train", "--help").split("experiment:")[1].split("\n")[0]
    found = trainyard(mine, "-sc", "query=bash", COMP_LINE="trainyard train model=mi")
    assert found.split() == ["model=mine"]


def test_nothing_is_overwritten(mine: Path) -> None:
    (mine / "my_network.py").write_text("mine")
    with pytest.raises(UserError, match=r"README.md exists already, and nothing is overwritten"):
        run_command(["init", str(mine)])
    assert (mine / "my_network.py").read_text() == "mine"


def test_other_files_may_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """A clone of an empty repository, say, in which the command is called."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    run_command(["init", "."])
    assert (tmp_path / "conf" / "data" / "mine.yaml").exists()
    assert capsys.readouterr().out.endswith("next: python train.py model=mine data=mine\n")


def test_a_folder_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    """The file conf is in the way of the folder conf, after the first files."""
    (tmp_path / "conf").write_text("")
    with pytest.raises(UserError, match="cannot be written: Not a directory; name another folder"):
        run_command(["init", str(tmp_path)])
    assert [file.name for file in tmp_path.iterdir()] == ["conf"]


def test_what_pip_has_compiled_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("trainyard.cli.init.STARTER", tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "train.pyc").write_bytes(b"\xff")
    (tmp_path / "train.py").write_text("")
    assert list(starter_files()) == ["train.py"]
    assert (STARTER / "train.py").exists()


@pytest.mark.slow
def test_its_script_and_its_own_test(mine: Path) -> None:
    """In interpreters of their own: what Python imports, and what pytest finds, depends on the folder."""
    for words in (["train.py", *OURS, "trainer.max_epochs=1"], ["-m", "pytest", "-p", "no:cacheprovider"]):
        done = subprocess.run([sys.executable, *words], cwd=mine, env=os.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
