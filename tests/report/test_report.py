import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from copies import copy_run

import trainyard
from trainyard.cli.main import run_command
from trainyard.config_keys import OF_RUNS
from trainyard.errors import UserError
from trainyard.report.cells import cells
from trainyard.report.files import write_into
from trainyard.report.groups import group_runs
from trainyard.report.runs import find_runs


def rows(runs) -> list[dict[str, str]]:
    return [cells(each) for each in group_runs(runs)]


@pytest.fixture
def seeds(run: trainyard.Run, tmp_path: Path) -> Path:
    """The finished run as three seeds with scores of their own, and one that did not finish."""
    for seed, (val, test) in enumerate(((0.55, 0.5), (0.75, 0.6), (0.65, 0.7))):
        folder = copy_run(run.path, tmp_path / "runs" / str(seed), seed, val=val, test=test)
        summary = json.loads((folder / "summary.json").read_text())
        (folder / "summary.json").write_text(json.dumps({**summary, "seconds": 60.0 * (seed + 1)}))
    shutil.copytree(tmp_path / "runs" / "0", tmp_path / "runs" / "cut")
    (tmp_path / "runs" / "cut" / "summary.json").unlink()
    return tmp_path / "runs"


def test_runs_that_differ_in_their_seed_alone_are_one_row(seeds: Path) -> None:
    done, unfinished = find_runs([seeds])
    assert [path.name for path in unfinished] == ["cut"]
    (row,) = rows(done)
    assert (row["network"], row["data"], row["metric"], row["mean over"]) == ("MLP", "Shapes", "accuracy", "3 seeds")
    assert (row["validation"], row["test"]) == ("65.00 % ± 10.00", "60.00 % ± 10.00")
    assert row["train"].endswith(" %") and 0 <= float(row["train"][:-2]) <= 100
    assert row["best run"] == "60.00 %"  # the test score of the run that is best on validation
    assert row["minutes"] == "2.0"
    assert row["command"].startswith("python train.py -m ") and row["command"].endswith(
        "model=mlp data=shapes data.size=200 data.test_size=100 seed=0,1,2"
    )
    assert "run.root" not in row["command"]


@pytest.mark.parametrize(
    ("old", "new"), [(r"^  lr: .*$", "  lr: 0.123"), (r"^  best:\n", "  lookahead:\n    every: 5\n  best:\n")]
)
def test_a_recipe_that_changed_is_another_row(seeds: Path, old: str, new: str) -> None:
    config = seeds / "2" / "config.resolved.yaml"
    text, count = re.subn(f"(?m){old}", new, config.read_text())
    assert count == 1
    config.write_text(text)
    done, _ = find_runs([seeds])
    assert sorted(row["test"] for row in rows(done)) == ["55.00 % ± 7.07", "70.00 %"]


@pytest.mark.parametrize("key", OF_RUNS)
def test_a_run_that_it_needed_is_named_without_its_place(seeds: Path, key: str) -> None:
    typed = seeds / "2" / "overrides.yaml"
    typed.write_text(typed.read_text() + f"- {key}={seeds / '0'}\n- data.root=/somewhere\n")
    words = find_runs([seeds / "2"])[0][0].words
    assert words[-1] == f"{key}=outputs/runs/..." and not [word for word in words if "somewhere" in word]


def test_the_table_goes_between_the_marks_and_nothing_else_changes(seeds: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "results.md"
    file.write_text("# Mine\n\nBefore.\n\n<!-- results -->\nstale row\n<!-- /results -->\n\nAfter.\n")
    run_command(["report", str(seeds), "--into", str(file)])
    text = file.read_text()
    assert "stale row" not in text and "| MLP | Shapes | accuracy | 65.00 % ± 10.00 | 60.00 % ± 10.00 |" in text
    assert text.startswith("# Mine\n\nBefore.\n") and text.endswith("\n\nAfter.\n")
    assert "1 unfinished: " in capsys.readouterr().out
    again = file.read_text()
    write_into(file, again.split("<!-- results -->\n")[1].split("\n<!-- /results -->")[0])
    assert file.read_text() == again


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="contains no run: there is no config.resolved.yaml"):
        find_runs([tmp_path])


def test_every_command_in_the_results_composes() -> None:
    """The table's commands are what one types."""
    from trainyard.config.compose import compose

    lines = (ROOT / "docs" / "results.md").read_text().splitlines()
    commands = [line.split("`")[-2].split() for line in lines if line.startswith("| ") and "`python train.py" in line]
    assert commands
    for words in commands:
        compose([word for word in words[2:] if word != "-m" and not word.startswith("seed=")])


def test_csv_has_the_plain_numbers_and_latex_a_table(seeds: Path, tmp_path: Path) -> None:
    run_command(["report", str(seeds), "--csv", str(tmp_path / "t.csv"), "--latex", str(tmp_path / "t.tex")])
    (row,) = csv.DictReader((tmp_path / "t.csv").open())
    assert float(row["test mean"]) == pytest.approx(0.6) and float(row["test std"]) == pytest.approx(0.1)
    assert float(row["test best"]) == 0.6 and row["mode"] == "max"  # of the run that is best on validation
    assert row["runs"] == ";".join(str(seeds / str(seed)) for seed in range(3))
    assert row["test runs"] == "3" and row["metric"] == "accuracy"
    text = (tmp_path / "t.tex").read_text()
    assert r"MLP & Shapes & accuracy & 65.00 \% $\pm$ 10.00 & 60.00 \% $\pm$ 10.00" in text and r"\bottomrule" in text


def test_folds_are_one_row_judged_on_what_they_held_out(short: list[str], tmp_path: Path) -> None:
    words = [*short, "model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "data.folds=3", "test=false"]
    found = [trainyard.train([*words, f"data.fold={fold}", f"run.dir={tmp_path / str(fold)}"]) for fold in range(3)]
    assert found[0].summary["test"] == {}
    (row,) = rows(find_runs([tmp_path])[0])
    scores = [100 * run.summary["best"]["val/accuracy"] for run in found]
    assert row["test"] == "" and row["validation"].startswith(f"{sum(scores) / 3:.2f} % ± ")
    assert row["mean over"] == "3 folds" and "data.folds=3 data.fold=0,1,2 seed=0" in row["command"]


def test_the_order_of_the_words_and_infinite_scores_make_no_other_row(seeds: Path) -> None:
    typed = seeds / "2" / "overrides.yaml"
    typed.write_text("".join(reversed(typed.read_text().splitlines(keepends=True))))
    summary = seeds / "1" / "summary.json"
    content = json.loads(summary.read_text())
    content["test"]["test/accuracy"] = float("inf")
    summary.write_text(json.dumps(content))
    (row,) = rows(find_runs([seeds])[0])
    assert row["test"] == "inf %" and row["mean over"] == "3 seeds"


def test_runs_that_have_not_finished_give_no_table(seeds: Path) -> None:
    with pytest.raises(UserError, match=r"no run has finished yet: .*/cut"):
        run_command(["report", str(seeds / "cut"), "--csv", str(seeds / "table.csv")])
