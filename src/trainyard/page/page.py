"""The whole page of a run."""

import base64
import hashlib
from importlib.metadata import version
from pathlib import Path

from trainyard.errors import UserError
from trainyard.figures.learning_curves import learning_curves, rates
from trainyard.files import write_durably
from trainyard.page.facts import Facts, read_facts
from trainyard.page.html import Markup, element, markup
from trainyard.page.pictures import as_svg, find_pictures
from trainyard.page.sections import config, environment, header, messages, repeat, scores, section
from trainyard.page.style import CSS
from trainyard.report.curves import over, panels_of, rates_and_losses, read_series

NAME = "run.html"


def write_page(path: Path, out: Path | None = None) -> Path:
    """Write the run in `path` as one HTML file, by default its own run.html, whole or not at all; return its name."""
    out = path / NAME if out is None else out
    content = page(path).encode()
    try:
        write_durably(out, lambda file: file.write(content))
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}); choose another --out") from error
    return out


def page(path: Path) -> Markup:
    """The HTML of a run. It loads nothing, and allows no script: whatever the run says is text."""
    facts = read_facts(path)
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    name = facts.summary.get("name") or facts.path.name
    head = [
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="referrer" content="no-referrer">'),
        element("title", f"{name}: a run of Trainyard"),
        element("style", Markup(CSS)),
    ]
    body = [
        header(facts), curves(facts), scores(facts), gallery(path), repeat(facts), config(facts),
        environment(facts), messages(facts),
    ]  # fmt: skip
    footer = element("footer", f"Made by Trainyard {version('trainyard')} from {facts.path}.")
    start = Markup(f'<!doctype html>\n<html lang="en"><head>{markup(head)}</head>')
    return markup([start, element("body", element("main", body, footer)), Markup("</html>\n")])


def curves(facts: Facts) -> Markup | None:
    """The learning curves and the learning rate."""
    try:
        x = over([facts.path])
        series, steps = (read_series(facts.path, each) for each in (x, "step"))
    except OSError as error:
        return section("Curves", element("p", f"They cannot be drawn: {error}", class_="sub"))
    names = panels_of([series], facts.monitor)
    if not names:
        return None
    figures = [picture(as_svg(learning_curves({"": series}, names, x)), "training against validation")]
    rate, losses = rates_and_losses(steps)
    if any(len(x) > 1 for x, _ in rate.values()):
        shown = rates(dict(list(rate.items())[:8]), losses)
        figures.append(picture(as_svg(shown), "learning rate and loss over the optimizer's steps"))
    return section("Curves", *figures)


def gallery(path: Path) -> Markup | None:
    """The pictures in the run directory."""
    found, left_out = find_pictures(path)
    if not found:
        return None
    more = element("p", f"{left_out} more are in the run directory.", class_="sub") if left_out else None
    return section("Pictures", element("div", *(picture(data, name) for name, data in found), class_="gallery"), more)


def picture(data: str, caption: str) -> Markup:
    """A picture with its caption."""
    image = Markup(f'<img src="{data}" alt="{markup(caption)}">')
    return element("figure", image, element("figcaption", caption))
