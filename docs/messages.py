"""Write docs/errors.md, every message with which Trainyard refuses something:   python docs/messages.py

The messages are read from the source, by its syntax tree: whatever an exception is made with, and in a few files, which
put their messages together, every sentence.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

SRC = Path(__file__).parents[1] / "src" / "trainyard"
PAGE = Path(__file__).parent / "errors.md"
ERRORS = {  # what is called with a message, and its place among the arguments
    **dict.fromkeys(("UserError", "ValueError", "FileNotFoundError", "LostProcessError", "OSError", "ConnectionError",
                     "CheckpointError", "ProcessError", "NonFiniteLossError", "busy"), 0),
    "RefusedError": 1,
}  # fmt: skip
PUT_TOGETHER = {"config/suggestions.py", "durability/crash_report.py", "durability/non_finite.py",
                "distributed/failures.py", "trust/allowlist.py", "trust/checkpoint_files.py"}  # fmt: skip
AREAS = {  # the packages of an area, in the order of the page
    "Options and keys": ["cli", "config"],
    "Starting a training": ["training", "hardware", "extras", "tasks", "optim", "callbacks", "profiling"],
    "Networks": ["models"],
    "Data": ["data"],
    "While it trains": ["durability", "distributed", "files", "loggers"],
    "Runs": ["runs", "trust", "catalog", "page", "report"],
    "Predict, evaluate, explain, export, serve": ["inference", "evaluation", "explain", "export", "serving"],
    "Sweeps": ["sweep"],
}
PATTERNS = re.compile(r"\||\[\^|^finished reduction")  # of other programs' messages, which the source looks for
INTRO = """# Every error

Written by `python docs/messages.py` from the source, and held by a test. `<...>` stands for a value of yours. A message
says what is wrong, both values and the way out; [troubleshooting.md](troubleshooting.md) explains those that need more
words. An error that is not here comes from torch, Lightning, Hydra or Python: `debug=true` shows its traceback.
"""


class Message(NamedTuple):
    """A text, and the file that has it, below src/trainyard."""

    text: str
    file: str


@cache
def messages() -> list[Message]:
    """Every message in the source that has at least four words of its own."""
    found = {}
    for file in sorted(SRC.rglob("*.py")):
        name = str(file.relative_to(SRC))
        tree = ast.parse(file.read_text())
        constants = string_constants(tree)
        for node in sources(tree, name in PUT_TOGETHER):
            text = " ".join(template(node, constants).split())
            if len(re.findall(r"[A-Za-z]{2,}", re.sub(r"<[^>]*>", "", text))) >= 4 and not PATTERNS.search(text):
                found.setdefault(text, Message(text, name))
    return sorted(found.values(), key=lambda each: (each.file, each.text))


def sources(tree: ast.Module, every: bool) -> Iterator[ast.expr]:
    """The expressions that are messages: arguments of exceptions; with `every`, also all sentences."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > (place := ERRORS.get(ast.unparse(node.func), 100)):
            yield node.args[place]
        elif every and isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in docs | inner:
            yield node


def template(node: ast.expr, constants: dict[str, str]) -> str:
    """The text of an expression, with <name> for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part, constants) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left, constants) + template(node.right, constants)
    if isinstance(node, ast.FormattedValue):
        return template(node.value, constants)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return re.sub(r"{\w*}", "<...>", template(node.func.value, constants))
    if isinstance(node, ast.Name):
        return constants.get(node.id, f"<{node.id}>")
    return f"<{node.attr}>" if isinstance(node, ast.Attribute) else "<...>"


def string_constants(tree: ast.Module) -> dict[str, str]:
    """The module's constants that are texts."""
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def page() -> str:
    """The whole page: a table for each area."""
    everything = messages()
    lines = [INTRO]
    for area, packages in AREAS.items():
        own = [each for each in everything if each.file.removesuffix(".py").partition("/")[0] in packages]
        lines += [f"## {area}", "", "| message | in |", "|---|---|"]
        lines += [f"| ``{each.text}`` | {each.file} |" for each in own] + [""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE}: {len(messages())} messages")
