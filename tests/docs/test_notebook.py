"""docs/python.md as a notebook: it is current, and all of its cells run."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import notebook

PAGE = notebook.PAGE.read_text()


def test_the_notebook_is_that_of_the_page() -> None:
    assert notebook.NOTEBOOK.read_text() == notebook.notebook(PAGE), "run make pages"
    assert [cell["cell_type"] for cell in json.loads(notebook.notebook(PAGE))["cells"]][:2] == ["markdown", "code"]


def test_a_block_is_a_cell_and_so_is_the_text_around_it() -> None:
    page = "# A\n\n```python\nx = 1\n```\n\nThen\n\n```python\ny = 2\n```\n"
    assert notebook.cells(page) == [("markdown", "# A"), ("code", "x = 1"), ("markdown", "Then"), ("code", "y = 2")]


@pytest.mark.slow
def test_all_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for kind, content in notebook.cells(PAGE):
        if kind == "code":
            exec(compile(content, "python.md", "exec"), names)
    assert names["accuracy"].item() == pytest.approx(names["run"].evaluate()["test/accuracy"])
    assert len(names["rows"]) == 3 and names["best"].path.is_dir()
