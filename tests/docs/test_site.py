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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What make docs builds."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0 and not done.stderr.strip(), done.stdout + done.stderr
    return folder


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
