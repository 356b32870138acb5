"""The commands that README.md, CONTRIBUTING.md and docs/ show: found in code blocks and in code within a line."""

import re
from pathlib import Path
from typing import NamedTuple

from conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = {"configuration.md", "errors.md"}  # what stands there is from conf/ and src/
PROGRAMS = (
    r"(?:\w+=\S+ )*(?:python|trainyard|make|torchrun|srun|pip|tensorboard|curl|optuna-dashboard|sudo make|source|eval) "
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?<=\n\n)((?: {4}.*\n|\n(?= {4}))+)")


class Command(NamedTuple):
    """A command, as one line without its comment, and the page that shows it."""

    page: str
    line: str


def commands() -> list[Command]:
    """Every command of every page, once for each page."""
    found = [
        Command(str(page.relative_to(ROOT)), line) for page in PAGES if page.name not in GENERATED for line in of(page)
    ]
    return list(dict.fromkeys(found))


def of(page: Path) -> list[str]:
    """The commands of a page."""
    text = page.read_text()
    lines = []
    for language, block in FENCE.findall(text):
        if language in ("", "bash", "console"):
            lines += in_block(block, prompt=language != "bash")
    text = FENCE.sub("\n", text)
    for block in INDENTED.findall(text):
        lines += in_block(re.sub(r"^ {4}", "", block, flags=re.MULTILINE), prompt=False)
    lines += re.findall(rf"`({PROGRAMS}[^`]*)`", INDENTED.sub("\n", text))
    return [" ".join(re.sub(r"(\s{2,}|\s(?=# ))#.*", "", line).split()) for line in lines]


def in_block(block: str, prompt: bool) -> list[str]:
    """The commands of a code block: what follows a prompt, or (unless it needs a prompt) starts with a program."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    shown = [line[2:] for line in lines if line.startswith("$ ")]
    return shown or ([] if prompt else [line for line in lines if re.match(PROGRAMS, line)])
