"""Jobs of -m: whatever stops the command, the same one ends as the uninterrupted one, and trains nothing twice."""

import csv
import signal
import time
from pathlib import Path

import processes
import pytest
from processes import Process

import trainyard
from trainyard.durability.run_lock import read_status

SHORT = ["hardware=cpu", "hardware.threads=1", "data=xor", "logger=none", "trainer.max_epochs=3"]
GRID = ["model.widths=[8],[4]", "seed=0,1"]
MINE = """
import os
from pathlib import Path
from torch import nn


class Mine(nn.Sequential):
    def __init__(self, kind: str) -> None:
        super().__init__(nn.Flatten(), nn.Linear(2, 2))
        if kind == "broken" and Path("broken").exists():
            raise RuntimeError("it is broken")
"""


def jobs(folder: Path, *words: str, code: int = 0) -> str:
    process = Process(processes.train, ["-m", *SHORT, *words], folder, COLUMNS="200")
    out, errors = process.communicate()
    assert process.returncode == code and "Traceback" not in errors, f"{out}\n{errors}"
    return out + errors


def folder_of(folder: Path) -> Path:
    (found,) = (folder / "outputs" / "sweeps").iterdir()
    return found


def scores(folder: Path) -> dict[str, dict]:
    """Whatever a run has as numbers, but for those of time."""
    runs = [trainyard.Run(path.parent) for path in sorted(folder.glob("*/summary.json"))]
    return {run.path.name: {**run.summary["best"], **run.summary["test"]} for run in runs}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four jobs that nothing disturbed."""
    folder = tmp_path_factory.mktemp("jobs")
    said = jobs(folder, *GRID, "model=mlp")
    assert "4 jobs, 1 at a time" in said and "4 done" in said
    assert said.count("job 2: model.widths=[4] seed=0\n") == 1 and "job 2: done val/accuracy" in said
    return folder_of(folder)


def test_each_job_is_the_training_alone_tested_once(whole: Path, tmp_path: Path) -> None:
    found = scores(whole)
    assert sorted(found) == ["0000", "0001", "0002", "0003"] and all("test/accuracy" in each for each in found.values())
    alone = trainyard.train([*SHORT, "model=mlp", "model.widths=[4]", "seed=1", f"run.dir={tmp_path}/alone"])
    assert found["0003"] == {**alone.summary["best"], **alone.summary["test"]}
    rows = list(csv.DictReader((whole / "trials.csv").open()))
    assert [(row["job"], row["model.widths"], row["seed"]) for row in rows] == [
        ("0", "[8]", "0"), ("1", "[8]", "1"), ("2", "[4]", "0"), ("3", "[4]", "1"),
    ]  # fmt: skip


def test_the_same_command_again_trains_nothing_and_another_is_another_study(whole: Path) -> None:
    folder = whole.parents[2]
    before = {path: path.stat().st_mtime_ns for path in whole.glob("*/summary.json")}
    said = jobs(folder, *GRID, "model=mlp")
    assert "all 4 jobs have ended before; hydra.sweeper.study=NAME trains them again" in said
    assert "XOR, highest val/accuracy first; means over 2 seeds" in said
    assert {path: path.stat().st_mtime_ns for path in whole.glob("*/summary.json")} == before
    assert "4 jobs in" in jobs(folder, *GRID, "model=mlp", "trainer.max_epochs=4", "--dry-run")
    assert folder_of(folder) == whole  # that only listed them


@pytest.mark.parametrize(
    ("words", "other"),
    [
        (["model=mlp,cnn"], "model.activation=tanh"),  # of a group that varies
        (["seed=0,1"], "optimizer.lr=0.3"),
        (["seed=0,1"], "data.root=elsewhere"),
        (["seed=0,1"], "test=false"),
    ],
)
def test_a_command_that_trains_otherwise_is_another_study(words: list[str], other: str, tmp_path: Path) -> None:
    given = ["data=image_folder", "data.root=photos", "data.shape=[3,8,8]"]
    found = [jobs(tmp_path, *given, *words, *more, "--dry-run").split()[3] for more in ([], [other], ["run.name=x"])]
    assert found[0] != found[1] and found[0] == found[2]


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_command_that_was_killed_ends_as_the_uninterrupted_one(number: int, whole: Path, tmp_path: Path) -> None:
    words = [*GRID, "model=mlp", "hydra.sweeper.n_jobs=2"]
    process = Process(processes.train, ["-m", *SHORT, *words], tmp_path)
    until = time.monotonic() + 60
    while not list(tmp_path.glob("outputs/sweeps/*/0000/summary.json")):  # so that others have begun
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate()
    finished = [path for path in folder_of(tmp_path).glob("????") if read_status(path).get("state") == "done"]
    jobs(tmp_path, *words)
    assert folder_of(tmp_path).name == whole.name
    assert scores(folder_of(tmp_path)) == scores(whole)
    assert all(read_status(path)["attempt"] == 1 for path in finished)


def test_a_job_that_fails_costs_itself_alone_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("_target_: mine.Mine\nkind: good\n")
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken").touch()
    words = ["model=mine", "model.kind=broken,good"]
    said = jobs(tmp_path, *words, code=1)
    assert "error: 1 of 2 jobs failed: " in said and "it is broken. See " in said and "1 failed, 1 done" in said
    assert sorted(scores(folder_of(tmp_path))) == ["0001"]
    (tmp_path / "broken").unlink()
    said = jobs(tmp_path, *words)
    assert sorted(scores(folder_of(tmp_path))) == ["0000", "0001"] and "2 done" in said
    assert "job 1" not in said.partition("XOR")[0].replace("(job 1)", "")  # the finished one did not run again


def test_recipes_of_a_file_meet_every_other_value(tmp_path: Path) -> None:
    (tmp_path / "conf" / "sweep").mkdir(parents=True)
    (tmp_path / "conf" / "sweep" / "two.yaml").write_text(
        "# @package _global_\nhydra:\n  sweeper:\n    recipes:\n"
        "      - {model: mlp, model.widths: [4]}\n      - {model: perceptron, optimizer.lr: 0.5}\n"
    )
    said = jobs(tmp_path, "sweep=two", "seed=3,4", "--dry-run")
    lines = [line.split(maxsplit=1)[1] for line in said.splitlines() if line.startswith("  0")]
    assert lines == [
        "model=mlp model.widths=[4] seed=3", "model=mlp model.widths=[4] seed=4",
        "model=perceptron optimizer.lr=0.5 seed=3", "model=perceptron optimizer.lr=0.5 seed=4",
    ]  # fmt: skip
    jobs(tmp_path, "sweep=two", "seed=3", "hydra.sweeper.n_jobs=2")
    (found,) = (tmp_path / "outputs" / "sweeps").glob("two-*")
    configs = [trainyard.Run(found / name).cfg for name in ("0000", "0001")]
    assert configs[0].model.widths == [4] and configs[1].optimizer.lr == 0.5 and configs[1].seed == 3


def test_options_that_a_pattern_names_are_jobs(tmp_path: Path) -> None:
    said = jobs(tmp_path, "model=glob([m*,p*])", "--dry-run")
    assert "0000  model=mlp" in said and "0001  model=perceptron" in said and not (tmp_path / "outputs").exists()


def test_checking_all_jobs_writes_nothing(tmp_path: Path) -> None:
    said = jobs(tmp_path, "model=mlp,perceptron", "check=true")
    assert said.count("one batch of train, val and test passed") == 2 and not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=mlp,gpd"], "model=gpd is not an option. Did you mean gpt?"),
        (["model=mlp", "optimizer.lr=0.1,high"], "optimizer.lr=high must be a number"),
        (["model=mlp", "trainer.max_epochs=1,1.5"], "trainer.max_epochs=1.5 must be a whole number"),
        (["seed=0,1", "tune=lr"], "tune=lr looks for one value and makes no run: leave out -m"),
        (["optimizer.lr=interval(0,1)"], "tries every value, and optimizer.lr is an interval"),
        (["seed=0,1", "hydra/sweeper/pruner=median"], "hydra/sweeper/pruner=... is for a search: add sweep=search"),
        (["seed=0,1", "hydra/sweeper/sampler=tpe"], "hydra/sweeper/sampler=... is for a search: add sweep=search"),
        (["seed=0,1", "hydra.sweeper.refit=1"], "hydra.sweeper.refit=1 is for a search: add sweep=search"),
        (["seed=0,1", "resume=latest"], "check=true and resume=... are for one training"),
        (["zip(seed=0,1 model=mlp,perceptron,cnn)"], "zip(seed model): seed has 2 values, and model 3"),
    ],
)
def test_a_mistake_is_told_before_the_first_job(words: list[str], said: str, tmp_path: Path) -> None:
    assert said in jobs(tmp_path, *words, code=1)
    assert not list(tmp_path.rglob("status.json"))
