"""The layers of the code: a package imports only from those below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import slow
from conftest import ROOT

SRC = Path(__file__).parents[1] / "src" / "trainyard"
BOTTOM = ("collectives", "config_keys", "cores", "errors", "files", "flops", "machine")
ALLOWED_IMPORTS: dict[str, set[str]] = {  # a package: what it may import, besides itself
    **{package: set() for package in (*BOTTOM, "models", "optim", "figures")},
    "logs": {"errors"},
    "extras": {"errors"},
    "hardware": {"cores", "errors", "machine", "models"},
    "data": {"errors", "files"},
    "loggers": {"collectives", "errors", "extras", "files"},
    "tasks": {"collectives", "errors", "models", "optim"},
    "trust": {"config_keys", "errors", "files"},
    "durability": {"collectives", "errors", "files", "trust"},
    "distributed": {"collectives", "durability", "errors", "files", "models", "trust"},
    "report": {"config_keys", "errors", "figures", "files", "loggers", "logs", "trust"},
    "page": {"durability", "config_keys", "errors", "figures", "files", "report", "trust"},
    "config": {"config_keys", "data", "errors", "files", "machine", "optim", "tasks", "trust"},
    "profiling": {"collectives", "files", "logs"},
    "inference": {"cores", "data", "errors", "files", "models", "tasks"},
    "evaluation": {"data", "errors", "figures", "files", "hardware", "tasks"},
    "callbacks": {
        "collectives", "durability", "flops", "inference", "logs", "tasks",
        "data", "evaluation", "explain", "figures", "files",
    },
    "catalog": {"config_keys", "durability", "errors", "files", "logs", "report", "trust"},
    "export": {"data", "errors", "extras", "files", "inference", "models", "tasks"},
    "explain": {"data", "errors", "extras", "figures", "files", "inference", "models", "tasks"},
    "serving": {"cores", "data", "durability", "errors", "explain", "extras", "figures", "inference", "tasks"},
    "runs": {
        "config", "config_keys", "data", "durability", "errors", "evaluation", "files", "hardware", "inference",
        "loggers", "logs", "machine", "tasks", "trust",
        "page", "report",
        "export",
        "explain",
        "serving",
    },
    "training": {
        "callbacks", "collectives", "config", "config_keys", "cores", "data", "distributed", "durability", "errors",
        "extras", "figures", "files", "flops", "hardware", "inference", "loggers", "logs", "models", "optim", "runs",
        "tasks", "trust",
    },
    "sweep": {
        "config", "config_keys", "cores", "distributed", "durability", "errors", "files", "hardware", "loggers", "logs",
        "report", "runs", "training", "trust",
    },
    "cli": {
        "config", "config_keys", "data", "durability", "errors", "evaluation", "figures", "files", "hardware",
        "inference", "logs", "models", "report", "runs", "training",
        "catalog", "page",
        "explain",
        "serving",
    },
    "starter": {"data"},
    "__main__": {"cli"},
    "__init__": {"catalog", "cli", "runs", "training"},
}  # fmt: skip
MAY_IMPORT_HYDRA = {"config", "sweep"}
MAY_IMPORT_OMEGACONF = {"config", "runs", "sweep", "training"}
WITHOUT_TORCH = (
    "catalog.listing", "catalog.removal", "cli.main", "config.compose", "page.page", "report.tables", "runs.find",
    "sweep.fork_server", "sweep.sweeper", "training.launch",
)  # fmt: skip
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
    package = file.relative_to(SRC).parts[0].removesuffix(".py")
    for name in imported(file):
        top, *rest = name.split(".")
        assert top != "hydra" or package in MAY_IMPORT_HYDRA, f"{file} imports {name}"
        assert top != "omegaconf" or package in MAY_IMPORT_OMEGACONF, f"{file} imports {name}"
        if top == "trainyard" and rest and rest[0] != package:
            assert rest[0] in ALLOWED_IMPORTS[package], f"{file} imports {name}"


@pytest.mark.parametrize("package", ALLOWED_IMPORTS)
def test_a_package_imports_what_its_row_allows(package: str) -> None:
    """A row that allows more than is used would hide the next import that should not be there."""
    files = [SRC / f"{package}.py"] if (SRC / f"{package}.py").is_file() else sorted((SRC / package).rglob("*.py"))
    names = {name.split(".")[1] for file in files for name in imported(file) if name.startswith("trainyard.")}
    assert ALLOWED_IMPORTS[package] <= names, f"{package} does not import {ALLOWED_IMPORTS[package] - names}"


def test_there_is_no_circle_between_packages() -> None:
    below: dict[str, set[str]] = {}
    while rest := {package: names for package, names in ALLOWED_IMPORTS.items() if package not in below}:
        free = {package: names for package, names in rest.items() if names <= below.keys()}
        assert free, f"a circle among {rest.keys()}"
        below |= free


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


PACKAGES = sorted(
    {str(file.parent.relative_to(SRC)) for file in FILES} - {"models", "data", "optim", "figures", "loggers"}
)


@pytest.mark.parametrize("name", PACKAGES)
def test_the_docs_name_every_file(name: str) -> None:
    """docs/architecture.md has a row for each package; that of networks and datasets is conf/ itself."""
    text = (SRC.parents[1] / "docs" / "architecture.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith(f"| {name} |")] or [text] * (name == ".")
    assert len(rows) == 1, f"{name} has no row"
    listed = {file.stem for file in (SRC / name).glob("*.py")} - {"__init__", "__main__"}
    assert {stem for stem in listed if stem not in rows[0]} == set()


def test_every_slow_test_is_there() -> None:
    """A test that was renamed would run among the fast ones again, without a word."""
    for name in slow.listed():
        file, _, test = name.partition("::")
        assert f"def {test.split('[')[0]}(" in (ROOT / file).read_text(), f"{name}: see tests/slow.py"
