"""What `trainyard ls` says about runs: any state, whoever made them, however many."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from made import make_run, make_study

from trainyard.catalog.block_yaml import parse
from trainyard.cli.main import run_command
from trainyard.config_keys import flatten
from trainyard.durability.run_lock import RunLock
from trainyard.errors import UserError
from trainyard.trust.safe_yaml import read_config


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One run of each kind in outputs/, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    root = Path("outputs")
    make_run(root / "a" / "good", score=0.75, lr="0.1", days=3)
    make_run(root / "a" / "better", score=0.8125, model="gru")
    make_run(root / "b" / "cut", "running")
    make_run(root / "b" / "stopped", "preempted", days=30)
    make_run(root / "b" / "failed", "failed", error="ValueError: no")
    make_run(root / "b" / "elsewhere", "running", host="another")
    make_run(root / "b" / "silent", "running", host="another", days=1)
    make_study(root / "sweeps" / "s")
    return root


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict]:
    run_command(["ls", *words, "--format", "json"])
    return {Path(each["run"]).name: each for each in json.loads(capsys.readouterr().out)}


def test_every_run_has_its_state_score_age_and_size(outputs: Path, capsys) -> None:
    found = listed(capsys)
    assert {name: each["state"] for name, each in found.items()} == {
        "good": "done", "better": "done", "cut": "stopped", "stopped": "stopped", "failed": "failed",
        "elsewhere": "running", "silent": "stopped", "0000": "done", "0001": "pruned", "0002": "pruned",
    }  # fmt: skip
    good = found["good"]
    assert (good["score"], good["test"], good["metric"]) == (0.75, 0.65, "val/accuracy")
    assert (good["model"], good["data"], good["run"]) == ("mlp", "xor", "outputs/a/good")
    assert good["age_seconds"] == pytest.approx(3 * 86400, abs=60)
    assert good["bytes"] == sum(file.stat().st_size for file in (outputs / "a" / "good").rglob("*") if file.is_file())
    assert found["failed"]["problem"] == "ValueError: no" and found["stopped"]["score"] is None


def test_a_run_that_a_process_holds_is_running(outputs: Path, capsys) -> None:
    with RunLock(outputs / "b" / "failed"):
        assert listed(capsys)["failed"]["state"] == "running"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--state", "done", "--sort", "score"], ["0000", "better", "good"]),
        (["--state", "done", "--sort", "name"], ["better", "good", "0000"]),
        (["--where", "model=gru"], ["better"]),
        (["--where", "optimizer.lr=1e-1"], ["good"]),
        (["--where", "model.widths=[8, 4]", "--where", "optimizer.lr=0.1"], ["good"]),
        (["--older-than", "2d", "--sort", "age"], ["good", "stopped"]),
        (["--state", "pruned,failed", "--sort", "name"], ["failed", "0001", "0002"]),
        (["outputs/a/good"], ["good"]),
        (["outputs/a", "outputs/a/good", "--sort", "name"], ["better", "good"]),
    ],
)
def test_runs_are_chosen_and_sorted(words: list[str], names: list[str], outputs: Path, capsys) -> None:
    assert list(listed(capsys, *words)) == names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--state", "faild"], "--state faild is unknown. Did you mean failed?"),
        (["--where", "modle=gru"], "no run has the key modle. Did you mean mode or model?"),
        (["--where", "gru"], "--where gru is not a key=value"),
        (["--older-than", "7 days"], "--older-than 7 days is not a time; write 90m, 12h, 7d or 2w"),
        (["--where", "model=vit"], "none of the 10 runs is of that kind"),
        (["nowhere"], "nowhere is not a folder that can be read"),
    ],
)
def test_a_mistake_is_named(words: list[str], said: str, outputs: Path) -> None:
    with pytest.raises(UserError) as caught:
        run_command(["ls", *words])
    assert said in str(caught.value)


def test_a_folder_without_runs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run below"):
        run_command(["ls", str(tmp_path)])


def test_damaged_runs_are_listed_as_such(outputs: Path, capsys) -> None:
    for name, file, content in (
        ("half", "summary.json", b'{"score": 0.'), ("list", "summary.json", b"[1]"), ("zeros", "summary.json", b"\0\0"),
        ("empty", "config.resolved.yaml", b""), ("binary", "config.resolved.yaml", b"\xff\0\n\n"),
        ("nested", "summary.json", b"[" * 100_000), ("odd", "summary.json", b'{"score": [1], "test": 3}'),
    ):  # fmt: skip
        (make_run(outputs / name, score=0.5) / file).write_bytes(content)
    (make_run(outputs / "lost", score=0.5) / "summary.json").unlink()
    found = listed(capsys)
    for name in ("half", "list", "zeros", "empty", "binary", "nested", "lost"):
        assert found[name]["state"] == "damaged" and found[name]["problem"], name
    assert (found["odd"]["state"], found["odd"]["score"]) == ("done", None)
    run_command(["ls"])
    assert "damaged: outputs/half: its summary.json cannot be read" in capsys.readouterr().out


def test_someone_elses_runs_are_text(outputs: Path, capsys) -> None:
    evil = make_run(outputs / "evil\x1b[2J", "failed", error="\x1b]0;owned\x07 \u202e", model="=cmd()")
    (outputs / "link").symlink_to(evil.resolve())
    for words in ([], ["--format", "csv"]):
        run_command(["ls", *words])
        text = capsys.readouterr().out
        assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
        assert text.count("evil?") == (2 if not words else 1)
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if "evil" in row["run"]]
    assert row["model"] == "'=cmd()"


def test_the_table_fits_the_terminal_and_names_each_run_whole(outputs: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    run_command(["ls", "outputs/a"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 50
    assert "outputs/a/better   done    0.8125" in text and text.rstrip().endswith("2 runs, 2.7 kB: 2 done")


def test_the_fast_reader_reads_what_runs_write(run) -> None:
    for name in ("config.resolved.yaml", "choices.yaml"):
        fast, whole = parse((run.path / name).read_text()), flatten(read_config(run.path / name))
        for key, value in whole.items():
            if isinstance(value, str | int | bool):
                assert fast[key].lower() == str(value).lower()
            elif isinstance(value, list) and value and not isinstance(value[0], dict | list):
                assert fast[key] == f"[{','.join(map(str, value))}]"


@pytest.mark.slow
def test_a_thousand_runs_take_seconds_and_no_torch(tmp_path: Path) -> None:
    for i in range(1000):
        make_run(tmp_path / "outputs" / str(i % 7) / str(i), score=i / 1000)
    program = (
        "import sys, time; start = time.process_time(); from trainyard.cli.main import run_command\n"
        "run_command(['ls', '--sort', 'score'])\n"
        "print(time.process_time() - start, file=sys.stderr); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stderr) < 10 and "1,000 runs" in done.stdout
    assert done.stdout.splitlines()[2].startswith("  outputs/5/999")
