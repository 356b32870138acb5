"""What `trainyard rm` deletes, and above all what it does not."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made import make_run, make_study

from trainyard.catalog.entries import entries
from trainyard.catalog.removal import remove
from trainyard.cli.main import run_command
from trainyard.durability.run_lock import RunLock
from trainyard.errors import UserError


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of every kind in outputs/, in the current folder."""
    monkeypatch.chdir(tmp_path)
    root = Path("outputs")
    make_run(root / "good", score=0.75)
    make_run(root / "failed", "failed", error="ValueError: no")
    make_run(root / "old", "failed", days=30)
    make_run(root / "stopped", "interrupted")
    make_run(root / "elsewhere", "running", host="another")
    make_study(root / "s")
    return root


def names(root: Path) -> set[str]:
    return {file.parent.name for file in root.rglob("config.resolved.yaml")}


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["--state", "failed"], {"failed", "old"}),
        (["--state", "failed", "--older-than", "7d"], {"old"}),
        (["outputs", "--state", "pruned"], {"0001", "0002"}),
        (["--state", "pruned,failed", "--state", "stopped"], {"failed", "old", "0001", "0002", "stopped"}),
        (["--state", "failed", "--where", "model=mlp"], {"failed", "old"}),
        (["outputs/good"], {"good"}),
        (["outputs/good", "outputs/stopped", "--state", "done"], {"good"}),
        (["outputs/s/0000", "outputs/s", "--state", "pruned,done"], {"0000", "0001", "0002"}),
    ],
)
def test_exactly_what_was_asked_for_is_deleted(words: list[str], gone: set[str], outputs: Path, capsys) -> None:
    before, rest = names(outputs), (outputs / "s" / "trials.csv").read_bytes()
    run_command(["rm", *words, "--dry-run"])
    shown = capsys.readouterr().out
    assert names(outputs) == before and "nothing was deleted" in shown
    assert all(f"/{name}" in shown for name in gone) and " kB: " in shown
    run_command(["rm", *words, "--yes"])
    assert names(outputs) == before - gone
    assert f"deleted: {len(gone)} of {len(gone)}" in capsys.readouterr().out
    assert (
        not any(path.name in gone for path in outputs.rglob("*"))
        and (outputs / "s" / "trials.csv").read_bytes() == rest
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which runs? add --state failed,pruned,stopped,damaged, or name run directories"),
        (["--where", "model=mlp"], "which runs? add --state"),
        (["--state", "done"], "2 finished or running runs match; a finished one is deleted if its own directory"),
        (["--state", "running"], "1 finished or running runs match"),
        (["outputs/elsewhere"], "outputs/elsewhere is running; stop it first"),
        (["--state", "damaged"], "no run matches, and nothing was deleted"),
        (["--state", "failed"], "2 runs, .* would be deleted, and there is no terminal to ask; add --yes"),
    ],
)
def test_what_is_not_plain_is_refused(words: list[str], said: str, outputs: Path, monkeypatch) -> None:
    before = names(outputs)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        run_command(["rm", *words])
    assert names(outputs) == before


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_on_a_terminal_it_asks(answer: str, outputs: Path) -> None:
    terminal, inside = pty.openpty()
    os.write(terminal, f"{answer}\n".encode())
    call = [sys.executable, "-m", "trainyard", "rm", "--state", "failed"]
    done = subprocess.run(call, stdin=inside, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "delete them? [y/N]" in done.stdout
    assert ("failed" in names(outputs)) == (answer != "y")


def test_a_run_that_a_process_holds_stays(outputs: Path, capsys) -> None:
    with RunLock(outputs / "failed"):
        run_command(["rm", "--state", "failed", "--yes"])
        with pytest.raises(UserError, match="outputs/failed is running"):
            run_command(["rm", "outputs/failed", "--yes"])
    assert {"failed"} == names(outputs) & {"failed", "old"}


def test_a_run_that_has_begun_or_ended_since_it_was_listed_stays(outputs: Path) -> None:
    (listed,) = entries([outputs / "failed"])
    with RunLock(outputs / "failed"):
        assert remove(listed) == "it is in use now"
    shutil.rmtree(outputs / "failed")
    assert remove(listed) == "it is no run directory any more"
    make_run(outputs / "failed", score=0.9)
    assert remove(listed) == "it has changed since" and (outputs / "failed" / "summary.json").is_file()


def test_links_are_deleted_and_not_followed(outputs: Path, tmp_path: Path) -> None:
    dear = tmp_path / "dear"
    dear.mkdir()
    (dear / "thesis.txt").write_text("dear")
    (outputs / "failed" / "data").symlink_to(dear)
    (outputs / "failed" / "checkpoints" / "last.ckpt").symlink_to(dear / "thesis.txt")
    elsewhere = make_run(tmp_path / "elsewhere" / "failed too", "failed")
    (outputs / "link").symlink_to(elsewhere)
    with pytest.raises(UserError, match="outputs/link is a link; name the folder that it leads to"):
        run_command(["rm", "outputs/link", "--yes"])
    run_command(["rm", "--state", "failed", "--yes"])
    assert (dear / "thesis.txt").read_text() == "dear" and elsewhere.is_dir()
    assert names(outputs) & {"failed", "old"} == set()


@pytest.mark.parametrize("kind", ["a project", "only a config", "another run inside", "the current folder"])
def test_what_is_more_or_less_than_a_run_stays(kind: str, outputs: Path, capsys, monkeypatch) -> None:
    path = outputs / "failed"
    if kind == "a project":
        (path / ".git").mkdir()
    elif kind == "only a config":
        for file in [*path.glob("*.json"), path / "choices.yaml", path / "overrides.yaml"]:
            file.unlink()
    elif kind == "another run inside":
        make_run(path / "checkpoints" / "inner", score=0.5)
    else:
        monkeypatch.chdir(path / "checkpoints")
    before = names(path.resolve() if kind != "the current folder" else Path.cwd().parent)
    with pytest.raises(UserError, match="nothing was deleted"):
        run_command(["rm", str(Path.cwd().parent if kind == "the current folder" else path), "--yes"])
    assert "not deleted: " in capsys.readouterr().out
    assert before and before == names(path.resolve() if kind != "the current folder" else Path.cwd().parent)


def test_a_folder_that_is_no_run_has_nothing_to_delete(tmp_path: Path) -> None:
    (tmp_path / "dear.txt").write_text("dear")
    with pytest.raises(UserError, match="no run matches, and nothing was deleted"):
        run_command(["rm", str(tmp_path), "--yes"])
    assert (tmp_path / "dear.txt").exists()
