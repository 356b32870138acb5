import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT

import trainyard
from trainyard.commands.report import main
from trainyard.errors import UserError
from trainyard.report import find, rows, write_into


@pytest.fixture
def seeds(run: trainyard.Run, tmp_path: Path) -> Path:
    """The finished run as three seeds with scores of their own, and one that did not finish."""
    for seed, score in enumerate((0.5, 0.6, 0.7)):
        folder = tmp_path / "runs" / str(seed)
        shutil.copytree(run.path, folder, ignore=shutil.ignore_patterns("checkpoints", "events*"))
        config = folder / "config.resolved.yaml"
        config.write_text(re.sub(r"(?m)^seed: 0$", f"seed: {seed}", config.read_text()))
        summary = json.loads((folder / "summary.json").read_text())
        summary["test"]["test/accuracy"], summary["seconds"] = score, 60.0 * (seed + 1)
        (folder / "summary.json").write_text(json.dumps(summary))
    shutil.copytree(tmp_path / "runs" / "0", tmp_path / "runs" / "cut")
    (tmp_path / "runs" / "cut" / "summary.json").unlink()
    return tmp_path / "runs"


def test_runs_that_differ_in_their_seed_alone_are_one_row(seeds: Path) -> None:
    done, unfinished = find([seeds])
    assert [path.name for path in unfinished] == ["cut"]
    (row,) = rows(done)
    assert row[:3] == ("MLP", "Shapes", "60.00 % ± 10.00 (3 seeds)")
    assert row[3].endswith(" %") and 0 <= float(row[3][:-2]) <= 100  # train accuracy
    assert row[5] == "2.0"
    assert row[-1].startswith("python train.py -m ") and row[-1].endswith(
        "model=mlp data=shapes data.size=200 data.test_size=100 seed=0,1,2"
    )
    assert "run.root" not in row[-1]


def test_a_recipe_that_changed_is_another_row(seeds: Path) -> None:
    config = seeds / "2" / "config.resolved.yaml"
    config.write_text(re.sub(r"(?m)^  lr: .*$", "  lr: 0.123", config.read_text()))
    done, _ = find([seeds])
    assert sorted(row[2] for row in rows(done)) == ["55.00 % ± 7.07 (2 seeds)", "70.00 % (1 seed)"]


def test_a_pretrained_run_is_named_without_its_place(seeds: Path) -> None:
    typed = seeds / "2" / "overrides.yaml"
    typed.write_text(typed.read_text() + f"- pretrained={seeds / '0'}\n- data.root=/somewhere\n")
    words = find([seeds / "2"])[0][0].words
    assert words[-1] == "pretrained=outputs/runs/..." and not [word for word in words if "somewhere" in word]


def test_the_table_goes_between_the_marks_and_nothing_else_changes(seeds: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "results.md"
    file.write_text("# Mine\n\nBefore.\n\n<!-- results -->\nstale row\n<!-- /results -->\n\nAfter.\n")
    main([str(seeds), "--into", str(file)])
    text = file.read_text()
    assert "stale row" not in text and "| MLP | Shapes | 60.00 % ± 10.00 (3 seeds) |" in text
    assert text.startswith("# Mine\n\nBefore.\n") and text.endswith("\n\nAfter.\n")
    assert "1 unfinished: " in capsys.readouterr().out
    again = file.read_text()
    write_into(file, again.split("<!-- results -->\n")[1].split("\n<!-- /results -->")[0])
    assert file.read_text() == again


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run: there is no config.resolved.yaml"):
        find([tmp_path])


def test_every_command_in_the_results_composes() -> None:
    """The table's commands are what one types."""
    from trainyard.compose import compose

    lines = (ROOT / "docs" / "results.md").read_text().splitlines()
    commands = [line.split("`")[-2].split() for line in lines if line.startswith("| ") and "`python train.py" in line]
    assert commands
    for words in commands:
        compose([word for word in words[2:] if word != "-m" and not word.startswith("seed=")])
