"""Configurations side by side: which keys differ, by how much the scores do, and how sure that is."""

from pathlib import Path

import pytest
from copies import copy_run
from PIL import Image

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.report.comparison import compare_runs


def section(text: str, heading: str) -> str:
    return text.partition(f"\n{heading}\n")[2].partition("\n\n")[0]


def test_runs_of_one_seed_differ_in_config_and_score_without_an_interval(run: trainyard.Run, tmp_path: Path) -> None:
    worse = copy_run(run.path, tmp_path / "a", lr=0.1, val=0.5, test=0.4)
    better = copy_run(run.path, tmp_path / "b", lr=0.2, val=0.6, test=0.525)
    config = better / "config.resolved.yaml"
    config.write_text(config.read_text().replace("threads: 1", "threads: 7").replace("max_epochs: 2", "max_epochs: 3"))
    text = str(trainyard.Run(worse).compare(trainyard.Run(better)))
    numbers = section(text, "what changes the numbers")
    assert [line.split() for line in numbers.splitlines()[2:]] == [
        ["optimizer.lr", "0.2", "0.1"], ["trainer.max_epochs", "3", "2"],
    ]  # fmt: skip
    machine = section(text, "the machine, and where the data is")
    assert machine.split()[-3:] == ["hardware.threads", "7", "1"] and "data." not in machine
    line = " ".join(text.split())  # it wraps where the paths are long
    assert "1 against 2: +12.50 points test/accuracy (one run each: chance alone may explain it" in line
    assert f"  1  {better}" in text and "run.dir" not in text and "dirpath" not in text


def test_five_seeds_have_an_interval(run: trainyard.Run, tmp_path: Path) -> None:
    for seed in range(5):
        copy_run(run.path, tmp_path / "a" / str(seed), seed, 0.1, val=0.9, test=0.9 - seed / 100)
        copy_run(run.path, tmp_path / "b" / str(seed), seed, 0.2, val=0.8, test=0.8)
    compared = compare_runs([tmp_path / "a", tmp_path / "b"])
    (line,) = compared.sentences()
    assert line.startswith("1 against 2: +8.00 points test/accuracy, 95 % interval +6.")
    assert [key for rows in compared.config.values() for key, _ in rows] == ["optimizer.lr"]


def test_other_data_is_not_compared_and_the_same_config_is_said_to_be(run: trainyard.Run, tmp_path: Path) -> None:
    first = copy_run(run.path, tmp_path / "a", val=0.5, test=0.4)
    second = copy_run(run.path, tmp_path / "b", val=0.5, test=0.5)
    text = str(compare_runs([first, second]))
    assert "their configs do not differ" in text and "1 against 2: " in text
    third = copy_run(run.path, tmp_path / "c", metric="mae", mode="min", val=0.5, test=0.4)
    text = str(compare_runs([first, third]))
    assert "2 has another dataset or metric than 1: its scores are not compared" in text


def test_the_command_saves_the_curves(run: trainyard.Run, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        copy_run(run.path, tmp_path / name, lr=0.1 if name == "a" else 0.2)
    run_command(["compare", "a", "b"])
    assert "curves: compare.png" in capsys.readouterr().out
    assert Image.open("compare.png").mode == "RGBA"
    with pytest.raises(UserError, match=r"^a cannot be written"):
        run_command(["compare", "a", "b", "--out", "a"])
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("names", [["a"], ["a", "cut"], ["a", "a"]])
def test_one_finished_run_is_too_few(names: list[str], run: trainyard.Run, tmp_path: Path) -> None:
    for name in ("a", "cut"):
        copy_run(run.path, tmp_path / name)
    (tmp_path / "cut" / "summary.json").unlink()
    with pytest.raises(UserError, match="to compare takes two finished runs, and there is one"):
        compare_runs([tmp_path / name for name in names])


def test_what_someone_else_wrote_is_text(run: trainyard.Run, tmp_path: Path) -> None:
    first, second = copy_run(run.path, tmp_path / "a", lr=0.1), copy_run(run.path, tmp_path / "b\x1b[2J", lr=0.2)
    config = second / "config.resolved.yaml"
    config.write_text(config.read_text().replace("optimizer:\n", 'optimizer:\n  odd: "\\e[2J[bold]"\n', 1))
    text = str(compare_runs([first, second]))
    assert "\x1b" not in text and "?[2J[bold]" in section(text, "what changes the numbers")
