"""The house has floors: a package imports only from those below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "trainyard"
FLOORS: dict[str, set[str]] = {
    "models": set(), "data": set(), "optim": set(), "figures": set(), "loggers": set(), "errors": set(), "logs": set(),
    "free": set(),
    "tasks": {"optim"},
    "generation": {"data", "models"},
    "callbacks": {"figures", "generation", "reliability"},
    "hardware": {"errors"},
    "reliability": {"errors"},
    "provenance": {"hardware"},
    "build": {"errors"},
    "recipe": {"errors", "reliability"},
    "typos": {"errors"},
    "compose": {"errors", "recipe", "typos"},
    "directory": {"compose", "errors", "provenance", "reliability"},
    "run": {"build", "compose", "data", "directory", "errors", "generation", "reliability", "tasks"},
    "results": set(),
    "report": {"errors", "loggers", "reliability"},
    "sweep": {"build", "compose", "directory", "errors", "free", "launch", "logs", "reliability", "report"},
    "check": {"callbacks", "data", "tasks"},
    "pretrained": {"data", "errors", "reliability", "tasks"},
    "resuming": {"compose", "directory", "errors", "free", "hardware", "reliability", "run"},
    "training": {
        "build", "callbacks", "check", "compose", "data", "directory", "errors", "hardware", "loggers", "logs",
        "pretrained", "reliability", "results", "resuming", "run", "tasks", "typos",
    },
    "launch": {"compose", "errors", "logs", "reliability", "run", "training"},
    "commands": {
        "build", "compose", "data", "errors", "figures", "hardware", "launch", "logs", "models", "reliability",
        "report", "run", "training",
    },
    "__main__": {"commands", "errors"},
    "__init__": {"__main__", "launch", "run"},
}  # fmt: skip
KNOW_HYDRA = {"build", "compose", "recipe", "sweep", "typos"}
KNOW_OMEGACONF = {*KNOW_HYDRA, "directory", "launch", "run", "training", "results", "resuming"}
WITHOUT_TORCH = ("compose", "launch", "report", "commands.report", "sweep.server", "sweep.sweeper")
FILES = sorted(SRC.rglob("*.py"))


def imported(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SRC)))
def test_imports_go_down(file: Path) -> None:
    floor = file.relative_to(SRC).parts[0].removesuffix(".py")
    for name in imported(file):
        top, *rest = name.split(".")
        assert top != "hydra" or floor in KNOW_HYDRA, f"{file} imports {name}"
        assert top != "omegaconf" or floor in KNOW_OMEGACONF, f"{file} imports {name}"
        if top == "trainyard" and rest and rest[0] != floor:
            assert rest[0] in FLOORS[floor], f"{file} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SRC)))
def test_files_and_functions_are_short(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 250, f"{file} is longer than 250 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 45, f"{file}: {node.name} has {length} lines"


def test_first_line_says_what_a_file_is() -> None:
    assert not [file for file in FILES if not file.read_text().startswith('"""')]


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_what_trains_nothing_does_not_wait_for_torch(name: str) -> None:
    asked = f"import sys, trainyard.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked]).returncode == 0
