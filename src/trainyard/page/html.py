"""Build HTML from Python: every text is escaped, unless it was built here."""

import html
from typing import Any

from trainyard.errors import without_control


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()


Content = Any  # Markup, a list of contents, None for nothing; anything else is shown as text


def markup(content: Content) -> Markup:
    """The content as HTML; of what is no markup, its text, without control characters."""
    if isinstance(content, Markup):
        return content
    if content is None:
        return Markup("")
    if isinstance(content, list | tuple):
        return Markup("".join(map(markup, content)))
    text = str(content).encode("utf-8", "replace").decode()  # a lone surrogate is not UTF-8
    return Markup(html.escape(without_control(text)))


def element(name: str, *content: Content, **attributes: str | bool) -> Markup:
    """`<name attribute="...">content</name>`; class_ is class, True is an attribute without a value."""
    shown = []
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        shown += [f" {key}"] if value is True else [f' {key}="{markup(value)}"'] if value else []
    return Markup(f"<{name}{''.join(shown)}>{markup(content)}</{name}>")


def table(head: list[Content], rows: list[list[Content]], **attributes: str) -> Markup:
    """A table; its first column are the headings of its rows."""
    first = element("thead", element("tr", *(element("th", cell, scope="col") for cell in head))) if head else None
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    return element("div", element("table", first, element("tbody", *body)), **{"class_": "wide", **attributes})
