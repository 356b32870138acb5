"""Every link and anchor of README.md, CONTRIBUTING.md and docs/ leads somewhere, on GitHub and on the site alike."""

import re
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def prose(page: Path) -> str:
    """A page without its code blocks and code in a line."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"``.*?``|`[^`\n]*`", "", re.sub(r"(?<=\n\n)(?:    .*\n)+", "", text))


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, by GitHub's rule."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        outside = page.is_relative_to(ROOT / "docs") and not file.is_relative_to(ROOT / "docs")  # not on the site
        if outside or not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One two\n\n[a](#one-two) [b](#three) [c](nowhere.md) `[d](code.md)`\n\n    [e](code.md)\n")
    assert broken(page) == ["#three", "nowhere.md"]


def test_every_page_is_in_the_navigation_and_in_the_readme() -> None:
    navigation, readme = (ROOT / "mkdocs.yml").read_text(), (ROOT / "README.md").read_text()
    for page in PAGES[2:]:
        name = str(page.relative_to(ROOT / "docs"))
        assert f": {name}\n" in navigation, f"mkdocs.yml does not name {name}"
        assert name == "index.md" or "/" in name or f"](docs/{name})" in readme, f"README.md does not name {name}"
