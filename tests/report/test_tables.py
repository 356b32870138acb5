"""What `trainyard report` prints, in terminals of several widths."""

import shutil
from pathlib import Path

import pytest
from copies import copy_run

import trainyard
from trainyard.cli.main import run_command


@pytest.fixture
def grid(run: trainyard.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two learning rates with three seeds each in outputs/grid, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for i, (lr, seed) in enumerate((lr, seed) for lr in (0.001, 0.25) for seed in range(3)):
        copy_run(run.path, Path("outputs/grid") / str(i), seed, lr, val=0.6 + lr + seed / 50, test=0.5 - lr + seed / 50)
    return Path("outputs")


def report(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    run_command(["report", *words])
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 60, 80, 100, 150, None])
def test_no_word_is_broken_at_any_width(width: int | None, grid: Path, capsys, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    shown = report(capsys, str(grid))
    table, _, runs = shown.partition("\nruns\n")
    assert max(map(len, table.splitlines())) <= (width or 1000)
    for part in ("MLP on Shapes, highest val/accuracy", "87.00 % ± 2.00", "27.00 % ± 2.00", "62.10 % ± 2.00"):
        assert part in table
    assert "optimizer.lr=0.001" in shown and "optimizer.lr=0.25" in shown and "…" not in shown
    assert "  1  outputs/grid/{3,4,5}\n  2  outputs/grid/{0,1,2}" in runs or width == 40
    assert ("minutes" in table) == (width in (100, 150, None)) and ("train" in table) == (width not in (40, 60))


def test_what_does_not_fit_beside_the_scores_is_below_them(grid: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "46")
    shown = report(capsys, str(grid))
    assert "\n  1  optimizer.lr=0.25\n     outputs/grid/{3,4,5}\n" in shown
    assert "1 against 2: -24.90 points test/accuracy (3\n  pairs are too few to tell)\n" in shown


def test_each_dataset_and_metric_has_a_table(grid: Path, run: trainyard.Run, capsys) -> None:
    for i in range(2):
        copy_run(run.path, grid / "mae" / str(i), i, metric="mae", mode="min", val=0.5478, test=0.6)
    shown = report(capsys, str(grid))
    assert "MLP on Shapes, lowest val/mae first; means over 2 seeds\n" in shown and "0.5478 ± 0.0000" in shown
    assert "  3  outputs/mae/{0,1}\n" in shown


def test_the_files_name_the_runs(grid: Path, capsys) -> None:
    shutil.move(grid / "grid" / "2", "elsewhere")
    report(capsys, "outputs/grid/0", "outputs/grid/1", "elsewhere", "--into", "t.md", "--csv", "t.csv")
    assert "| `{outputs/grid/0,outputs/grid/1,elsewhere}` | `python" in Path("t.md").read_text()
    assert ",outputs/grid/0;outputs/grid/1;elsewhere," in Path("t.csv").read_text()
