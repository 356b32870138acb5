"""Files of someone else's run that are, or become, too large; and text that a terminal or a table would obey."""

import json
import shutil
from pathlib import Path

import pytest

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.report.runs import MAX_METRICS, find_runs
from trainyard.runs.run import Run
from trainyard.trust.signature import SIGNATURE

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


@pytest.fixture
def foreign(run: trainyard.Run, tmp_path: Path) -> Path:
    path = tmp_path / "foreign"
    shutil.copytree(run.path, path)
    (path / SIGNATURE).unlink()
    return path


def make_sparse(file: Path, size: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(size)


def test_a_report_reads_no_alias_and_no_huge_file(foreign: Path) -> None:
    typed = (foreign / "overrides.yaml").read_text()
    bomb = "".join(f"- &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]\n" for i in range(9))
    (foreign / "overrides.yaml").write_text(bomb)
    with pytest.raises(UserError, match="it contains an alias"):
        find_runs([foreign])
    (foreign / "overrides.yaml").write_text(typed)
    make_sparse(foreign / "metrics.jsonl", MAX_METRICS + 1)
    with pytest.raises(UserError, match=f"larger than {MAX_METRICS:,} bytes"):
        find_runs([foreign])


def test_a_trusted_run_with_an_alias_is_not_continued(foreign: Path) -> None:
    (foreign / "overrides.yaml").write_text("- &a x\n- *a\n")
    with pytest.raises(UserError, match="overrides.yaml is not a run's config: it contains an alias"):
        trainyard.train([f"resume={foreign}", "trust=true"])


def test_a_checkpoint_is_no_larger_than_its_network_makes_it(foreign: Path) -> None:
    make_sparse(foreign / "checkpoints" / "best.ckpt", 12 << 30)
    with pytest.raises(UserError, match=r"best.ckpt has 12,884,901,888 bytes, and this network's checkpoint at most"):
        Run(foreign).evaluate("val")
    with pytest.raises(UserError, match=r"best.ckpt has 12,884,901,888 bytes"):
        trainyard.train(["model=mlp", "data=shapes", f"pretrained={foreign}", "check=true"])


def test_lines_that_are_no_json_are_left_out(tmp_path: Path) -> None:
    lines = ['{"step": 1}', "\0" * 50, "[" * 100_000, "3", '{"step": 2}', '{"step":']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]


GROWING = {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40}
PANICS = {"type": "Precompiled", "precompiled_charsmap": "EAAAAAAAAAA="}


@pytest.mark.parametrize("kind", ["growing", "panics", "sparse", "list"])
def test_a_tokenizer_is_one_of_ours_up_to_its_vocabulary(
    kind: str, short: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["model=gru", "data=reviews", "data.size=200", "data.test_size=100", f"run.dir={tmp_path}/here"]
    run = trainyard.train([*short, *words])
    file = run.path / "tokenizer.json"
    content = json.loads(file.read_text())
    content["normalizer"] = PANICS if kind == "panics" else GROWING
    file.write_text("[]" if kind == "list" else json.dumps(content))
    if kind == "sparse":
        make_sparse(file, 3 << 30)
    with pytest.raises(UserError, match=r"tokenizer.json is not a tokenizer of Trainyard"):
        Run(run.path).predict(["a text"])
    assert "panicked" not in capfd.readouterr().err


def test_nothing_that_a_terminal_obeys_is_printed(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"run {ESCAPE}"
    shutil.move(foreign, path)
    environment = json.loads((path / "environment.json").read_text())
    (path / "environment.json").write_text(json.dumps({**environment, "cpu": f"x{ESCAPE}"}))
    unfinished = path.with_name(f"unfinished {ESCAPE}")
    shutil.copytree(path, unfinished)
    (unfinished / "summary.json").unlink()
    run_command(["report", str(path), str(unfinished), "--csv", str(tmp_path / "t.csv")])
    Run(path).evaluate("val")
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err + (tmp_path / "t.csv").read_text()
    with pytest.raises(SystemExit) as ended, trainyard.errors.exit_on_error(debug=False):
        raise UserError(f"{path} is no run")
    assert "\x1b" not in str(ended.value)


def test_a_report_escapes_what_markdown_csv_and_latex_would_interpret(foreign: Path, tmp_path: Path) -> None:
    hostile = r"<script>alert(1)</script> | `x` \input{/etc/passwd}"
    environment = json.loads((foreign / "environment.json").read_text())
    (foreign / "environment.json").write_text(json.dumps({**environment, "cpu": f"=cmd {hostile}"}))
    config = foreign / "config.resolved.yaml"
    config.write_text(config.read_text().replace("trainyard.models.mlp.MLP", r"a.\input{b}<b>"))
    files = [tmp_path / name for name in ("t.md", "t.csv", "t.tex")]
    run_command(["report", str(foreign), "--into", str(files[0]), "--csv", str(files[1]), "--latex", str(files[2])])
    markdown, csv, latex = (file.read_text() for file in files)
    assert "<script>" not in markdown and r"\|" in markdown and r"&lt;script&gt;" in markdown
    assert "'=cmd" in csv and r"\input" not in latex and r"\textbackslash{}input\{b\}" in latex
