"""The site of docs/: it builds without a warning, finds what one searches for, and loads nothing from elsewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("mkdocs", reason="mkdocs-material is not installed: pip install 'trainyard[docs]'")


def build(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """What make docs does (with --quiet, mkdocs would let warnings pass)."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder / "site"), *words]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stdout + done.stderr
    return folder / "site"


def test_a_broken_link_fails(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n[nowhere](nowhere.md)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: one page\ntheme: {name: material, font: false}\n")
    done = build(tmp_path, "--config-file", str(tmp_path / "mkdocs.yml"))
    assert done.returncode == 1 and "nowhere.md" in done.stderr
    assert re.search(r"mkdocs build --strict$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {file.relative_to(ROOT / "docs").with_suffix(".html") for file in (ROOT / "docs").rglob("*.md")}
    assert all((site / page).exists() for page in pages)
    for page in pages:
        html = (site / page).read_text()
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]*?(?:src|href)=\"?([^\s\">]+)", html)
        assert loaded and not [address for address in loaded if re.match(r"(?:https?:)?//", address)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", sheet.read_text()), sheet


def test_a_message_and_a_key_can_be_searched(site: Path) -> None:
    found = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    for text, page in {"is not a run: it has no": "errors.html", "data.augment": "configuration.html"}.items():
        assert any(text in entry["text"] and entry["location"].startswith(page) for entry in found), text
