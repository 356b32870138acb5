"""Write docs/notebook.ipynb from docs/python.md:  python docs/notebook.py

A code block of the page is a cell, and so is the text between two of them.
"""

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PAGE, NOTEBOOK = DOCS / "python.md", DOCS / "notebook.ipynb"
CODE = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def cells(page: str) -> list[tuple[str, str]]:
    """The kind (markdown or code) and the content of each cell."""
    parts = CODE.split(page)  # texts and codes by turns
    kinds = [("markdown", "code")[place % 2] for place in range(len(parts))]
    return [(kind, part.strip()) for kind, part in zip(kinds, parts, strict=True) if part.strip()]


def notebook(page: str) -> str:
    """The notebook as JSON, without outputs."""
    listed: list[dict[str, Any]] = []
    for number, (kind, content) in enumerate(cells(page)):
        run = {"execution_count": None, "outputs": []} if kind == "code" else {}
        source = content.splitlines(keepends=True)
        listed.append({"cell_type": kind, "id": f"cell-{number}", "metadata": {}, **run, "source": source})
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": listed, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(PAGE.read_text()))
    print(f"{NOTEBOOK}: {len(cells(PAGE.read_text()))} cells")
