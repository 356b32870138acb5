"""The pages that are written from conf/ and from the source: complete, current, and each key with its meaning."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))
import messages  # noqa: E402
import reference  # noqa: E402

CONFIGURATION = (DOCS / "configuration.md").read_text()
OPTIONS = reference.options()


def section(option: str) -> str:
    """The part of the page on an option; of a recipe its row."""
    if option.partition("/")[0] in reference.RECIPES:
        return next(
            line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{reference.heading(option)}` |")
        )
    title = "## Outside of all groups" if option == "train" else f"### {reference.heading(option)}"
    return re.split(r"\n##", CONFIGURATION.split(f"\n{title}\n", 1)[1])[0]


def leaves(tree: dict, above: str = "") -> list[str]:
    """The keys of a YAML, by their names within the file; those that say how it is built are none."""
    found = []
    for key, value in tree.items():
        if key in reference.STRUCTURE or (not above and key == "hydra"):
            continue
        name = f"{above}.{key}" if above else key
        found += leaves(value, name) if isinstance(value, dict) and value else [name]
    return found


@pytest.mark.parametrize(
    ("module", "file"), [(messages, "errors.md"), (reference, "configuration.md")], ids=["messages", "reference"]
)
def test_the_page_is_what_would_be_written_now(module, file: str) -> None:
    assert (DOCS / file).read_text() == module.page(), "write it again: make pages"


@pytest.mark.parametrize("option", OPTIONS)
def test_every_key_of_every_option_is_there(option: str) -> None:
    text, keys = section(option), leaves(yaml.safe_load((ROOT / "conf" / f"{option}.yaml").read_text()))
    prefix = "" if option.partition("/")[0] in reference.RECIPES else reference.prefix(option)
    for key in keys:
        assert f"`{prefix}.{key}`" in text or f"`{key}`" in text or f"`{key}=" in text, f"{option}: {key}"


@pytest.mark.parametrize("option", [each for each in OPTIONS if each.partition("/")[0] not in reference.RECIPES])
def test_every_key_has_a_meaning(option: str) -> None:
    nameless = [key.name for key in reference.keys(option) if not key.meaning]
    assert nameless == [], f"write what they mean beside them, in conf/{option}.yaml"


def test_a_key_without_a_comment_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "new.yaml").write_text("_target_: torch.nn.Linear\nwhatever: 1\nbias: true  # of each unit\n")
    monkeypatch.setattr(reference, "CONF", tmp_path)
    assert [(key.name, key.meaning) for key in reference.keys("model/new")] == [
        ("model.whatever", ""),
        ("model.bias", "of each unit"),
    ]


def test_every_package_has_its_place_among_the_errors() -> None:
    known = {package for packages in messages.AREAS.values() for package in packages}
    assert {each.file.removesuffix(".py").partition("/")[0] for each in messages.messages()} <= known


def quoted() -> list[str]:
    """The messages that docs/troubleshooting.md explains."""
    page = (DOCS / "troubleshooting.md").read_text()
    tables = re.findall(r"^\| message \|.*\n\|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [re.split(r"`? \| ", row)[0].removeprefix("| `") for table in tables for row in table.splitlines()]


@pytest.mark.parametrize("message", quoted())
def test_what_troubleshooting_quotes_is_in_the_source(message: str) -> None:
    """The parts between the placeholders, in their order, in one message."""
    parts = [re.escape(part) for part in re.split(r"<[^>]*>", message) if part.strip()]
    pattern = re.compile(".*?".join(parts))
    assert parts and any(pattern.search(each.text) for each in messages.messages())
