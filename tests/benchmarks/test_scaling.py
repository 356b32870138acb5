"""The tables of docs/scaling.md are what the functions compute."""

import runpy

import pytest
from conftest import ROOT


def test_the_page_has_the_tables_that_the_functions_give(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "benchmarks" / "scaling.py"), run_name="__main__")
    page = (ROOT / "docs" / "scaling.md").read_text()
    tables = [part for part in capsys.readouterr().out.split("\n\n") if part.startswith("|")]
    assert len(tables) == 5
    for table in tables:
        assert table.strip() in page
