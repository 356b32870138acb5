"""The sections of the page, each from the facts about a run to HTML."""

import re
import shlex
from typing import Any

from trainyard.page.facts import Facts
from trainyard.page.html import Markup, element, table

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "numpy")  # shown first
NOT_REPEATED = ("run.", "callbacks.pruning.", "hydra.", "resume", "debug")  # overrides: where a run was, not what
GROUPS = ("model", "data", "task", "optimizer", "scheduler", "trainer", "hardware", "callbacks", "logger")


def header(facts: Facts) -> Markup:
    """Name, state, what was trained on what, the scores, and the error of a run that failed."""
    name = facts.summary.get("name") or facts.config.get("run.name") or facts.path.name
    model, data = (facts.choices.get(group) for group in ("model", "data"))
    what = " · ".join(str(part) for part in (f"{model} on {data}" if model else "", facts.path) if part)
    error = facts.status.get("error") if facts.state == "failed" else None
    return element(
        "header",
        element("h1", name, " ", element("span", facts.state, class_="badge")),
        element("p", what, class_="sub"),
        element("ul", *(element("li", element("b", value), element("span", label)) for label, value in cards(facts)),
                class_="cards"),
        element("p", error, class_="error") if error else None,
    )  # fmt: skip


def cards(facts: Facts) -> list[tuple[str, str]]:
    """The few numbers that one looks for first, each with its label."""
    name, summary = facts.monitor.partition("/")[2], facts.summary
    best, tested = summary.get("score"), facts.scores("test").get(name)
    found = [(f"best {facts.monitor}", number(best)), (f"test/{name}", number(tested))]
    epochs, seconds, weights = (summary.get(key) for key in ("epochs", "seconds", "parameters"))
    found.append(("epochs", number(epochs)))
    if isinstance(seconds, int | float):
        found.append(("training time", f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"))
    found.append(("parameters", number(weights)))
    return [(label, value) for label, value in found if value]


def scores(facts: Facts) -> Markup | None:
    """Every metric, of validation in the best epoch and of the test."""
    best, test = facts.scores("best"), facts.scores("test")
    epoch = facts.summary.get("best_epoch")
    shown = f"validation, epoch {epoch + 1:.0f}" if isinstance(epoch, int | float) else "validation"
    monitored = facts.monitor.partition("/")[2]
    rows = [
        [element("strong", name) if name == monitored else name, number(best.get(name)), number(test.get(name))]
        for name in dict.fromkeys([*best, *test])
    ]
    if not rows:
        return None
    limited = facts.summary.get("limited")
    parts = [f"{split}: on {part}" for split, part in limited.items()] if isinstance(limited, dict) else []
    note = element("p", "; ".join(parts), class_="sub") if parts else None
    return section("Scores", table(["metric", shown, "test"], rows, class_="wide scores"), note)


def repeat(facts: Facts) -> Markup:
    """The commands that train this run again."""
    words = [word for word in facts.typed if not word.lstrip("+~").startswith(NOT_REPEATED)]
    commit = facts.environment.get("git_commit")
    lines = [f"git checkout {shlex.quote(str(commit))}"] if commit else []
    if facts.has_diff:
        lines.append(f"git apply {shlex.quote(str(facts.path / 'diff.patch'))}")
    lines.append(shlex.join(["python", "train.py", *words]))
    return section("Train it again", element("pre", "\n".join(lines)))


def config(facts: Facts) -> Markup:
    """The resolved config by group; what was overridden is marked, and its group open."""
    changed = overridden(facts)
    groups: dict[str, list[str]] = {}
    for key in facts.config:
        groups.setdefault(key.partition(".")[0] if "." in key else "general", []).append(key)
    order = sorted(groups, key=lambda name: (name != "general", GROUPS.index(name) if name in GROUPS else len(GROUPS)))
    parts = []
    for group in order:
        keys = groups[group]
        rows = [[key, mark(facts.config[key], key in changed or under(key, changed))] for key in keys]
        choice = facts.choices.get(group)
        title = [group, " = ", mark(choice, group in changed)] if choice else group
        is_open = any(key in changed or under(key, changed) for key in keys)
        parts.append(element("details", element("summary", title), table([], rows, class_="wide config"), open=is_open))
    return section("Config", element("p", "Marked: what the command line chose.", class_="sub"), *parts)


def overridden(facts: Facts) -> set[str]:
    """The keys and groups in the overrides."""
    return {re.split("[=@]", word.lstrip("+~"), maxsplit=1)[0].replace("/", ".") for word in facts.typed}


def under(key: str, changed: set[str]) -> bool:
    """Whether a key is below one that was overridden: callbacks.ema.decay and callbacks.ema; not that of a group."""
    return any("." in each and key.startswith(f"{each}.") for each in changed)


def mark(value: Any, is_marked: bool) -> Markup:
    """A value, marked or not."""
    return element("mark" if is_marked else "span", "null" if value is None else str(value))


def environment(facts: Facts) -> Markup:
    """Where it ran: code, packages, machine."""
    known, packages = facts.environment, facts.environment.get("packages")
    packages = packages if isinstance(packages, dict) else {}
    status, gpus = known.get("git_status"), known.get("gpus")
    changes = f"{len(status)} files differed from it" if isinstance(status, list) and status else ""
    rows = [
        ["commit", f"{known.get('git_commit') or 'none'}" + (f" ({changes})" if changes else "")],
        ["date", facts.status.get("time")],
        ["Python", known.get("python")],
        *([name, packages[name]] for name in PACKAGES if name in packages),
        ["system", known.get("platform")],
        ["processor", f"{known.get('cpu')}, {known.get('cores')} cores, {known.get('threads')} threads"],
        ["GPUs", ", ".join(map(str, gpus)) if isinstance(gpus, list) else None],
    ]
    every = "\n".join(f"{name}=={version}" for name, version in packages.items())
    more = [element("details", element("summary", f"all {len(packages)} packages"), element("pre", every))]
    if changes and isinstance(status, list):
        more.append(element("details", element("summary", changes), element("pre", "\n".join(map(str, status)))))
    return section("Environment", table([], [row for row in rows if row[1]]), *(more if packages or changes else []))


def messages(facts: Facts) -> Markup | None:
    """The warnings of its log, and the end of its traceback."""
    parts = [element("pre", "\n".join(facts.warnings))] if facts.warnings else []
    parts += [element("pre", facts.crash)] if facts.crash else []
    return section("Warnings and errors", *parts) if parts else None


def section(title: str, *content: Markup | None) -> Markup:
    """A heading and what belongs to it."""
    return element("section", element("h2", title), *content)


def number(value: Any) -> str:
    """A score or a count; empty for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 1e15 else ""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"
