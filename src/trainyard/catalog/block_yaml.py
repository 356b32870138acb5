"""Read the lines of a config file that a run wrote, a hundred times as fast as a YAML parser.

It knows the block style of PyYAML and OmegaConf alone, and takes values as text: good enough to list and to choose runs
by what they are, not to open one (trust/safe_yaml.py).
"""

import re
from pathlib import Path

from trainyard.files import read_small

KEY = re.compile(r"( *)([^\s:#'\"-][^\s:]*):(?: (.*))?$")
ITEM = re.compile(r" *- (.*)$")


def read_lines(file: Path) -> dict[str, str]:
    """The values by dotted key, a list of scalars as [a,b]; OSError or ValueError for what is no text file."""
    return parse(read_small(file).decode("utf-8"))


def parse(text: str) -> dict[str, str]:
    """The values of a text in block style by dotted key."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    parents: list[tuple[int, str]] = []  # indentation and dotted key
    for line in text.splitlines():
        if match := KEY.match(line):
            indent = len(match[1])
            while parents and parents[-1][0] >= indent:
                parents.pop()
            key = f"{parents[-1][1]}.{match[2]}" if parents else match[2]
            parents.append((indent, key))
            if match[3]:
                values[key] = unquoted(match[3])
        elif parents and (item := ITEM.match(line)):
            lists.setdefault(parents[-1][1], []).append(unquoted(item[1]))
    return {**values, **{key: f"[{','.join(items)}]" for key, items in lists.items()}}


def unquoted(text: str) -> str:
    """A scalar without its quotes."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
