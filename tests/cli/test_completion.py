"""Tab completion: what the shell asks, and what Hydra's own script makes of the answer."""

import os
import subprocess
import sys
from pathlib import Path

import processes
import pytest
from conftest import ROOT

from trainyard.cli.completion import complete

QUERY = ["-sc", "query=bash"]
BASH = """
eval "$({command} -sc install=bash)"
COMP_LINE="{line}" COMP_POINT=${{#COMP_LINE}} COMP_WORDS=({line}) COMP_CWORD=$(({count} - 1))
hydra_bash_completion
echo "${{COMPREPLY[*]}}"
"""


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("trainyard train mod", {"mode=", "model=", "model."}),
        ("python train.py model=vi", {"model=vit"}),
        ("trainyard train model=mlp model.wid", {"model.widths."}),
        ("trainyard train modle=x optimizer=sg", {"optimizer=sgd"}),
        ("trainyard train modle=x optimizer.l", set()),  # nothing can be composed
        ("trainyard train like=out", {"like=outputs"}),
        ("trainyard train task.teacher=out", {"task.teacher=outputs"}),
        ("trainyard ev", {"evaluate"}),
        ("trainyard evaluate ", set()),  # bash completes names of files
    ],
)
def test_what_may_follow(line: str, answer: set[str], tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    target = processes.train if line.startswith("python") else processes.trainyard
    done = processes.run(target, *QUERY, folder=tmp_path, COMP_LINE=line)
    assert set(done.stdout.split()) == answer
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(("command", "words"), [("python train.py", 3), ("trainyard", 3)])
def test_in_bash(command: str, words: int, tmp_path: Path) -> None:
    """With the names of the commands as a user types them."""
    (tmp_path / "trainyard").write_text(f"#!{sys.executable}\nfrom trainyard import main\nmain()\n")
    (tmp_path / "trainyard").chmod(0o755)
    line = f"{command} {'train ' if command == 'trainyard' else ''}model=res"
    script = BASH.format(command=command, line=line, count=words)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["model=resnet18", "model=resnet34", "model=resnet50"] and done.stderr == ""


def test_the_script_is_for_the_command_that_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/trainyard", "-sc", "install=bash"])
    complete(["-sc", "install=bash"], [])
    assert capsys.readouterr().out.strip().endswith("-F hydra_bash_completion trainyard")
