"""Write docs/configuration.md, every group, option and key of conf/:   python docs/reference.py

The meaning of a key is its comment in the YAML, else what the list of arguments in the docstring of its
`_target_` says (torch, Lightning), else the key that it follows.
"""

import inspect
import re
from pathlib import Path
from typing import NamedTuple

import yaml
from hydra.utils import get_object

from trainyard.config_keys import flatten

CONF = Path(__file__).parents[1] / "conf"
PAGE = Path(__file__).parent / "configuration.md"
PREFIX = {  # where the keys of a base are, or those of a group that is not of that name
    "base/hardware": "hardware", "base/images": "data", "base/loading": "data", "base/monitor_loss": "",
    "base/task": "task", "base/text": "data", "base/warmup": "scheduler", "train": "",
}  # fmt: skip
RECIPES = ("experiment", "sweep")  # they choose options and set keys of other groups
STRUCTURE = {"defaults", "_target_", "_partial_", "_recursive_"}
ORDER = ["train", "model", "data", "task", "optimizer", "scheduler", "trainer", "hardware", "callbacks", "logger",
         "profile", "tune", "experiment", "sweep", "hydra/sweeper", "hydra/sweeper/sampler", "hydra/sweeper/pruner",
         "hydra/launcher", "base"]  # fmt: skip
INTRO = """# Every key

Written by `python docs/reference.py` from conf/, and held by a test: change a comment there, not this page. A key is
set on the command line by its full name, `optimizer.lr=1e-3`. `${data.shape}` is the value of another key.
[configuring.md](configuring.md) explains how options are chosen.
"""


class Key(NamedTuple):
    """A key of an option: its full name, its value as written, and what it means ("" if nothing says it)."""

    name: str
    default: str
    meaning: str


def read(option: str) -> tuple[str, yaml.MappingNode | None]:
    """The text of an option's YAML, and its tree."""
    text = (CONF / f"{option}.yaml").read_text()
    node = yaml.compose(text)
    return text, node if isinstance(node, yaml.MappingNode) else None


def options() -> list[str]:
    """Every YAML of conf/, as train, model/mlp ..."""
    return sorted(str(file.relative_to(CONF).with_suffix("")) for file in CONF.rglob("*.yaml"))


def prefix(option: str) -> str:
    """What precedes a key of the option on the command line."""
    if option in PREFIX:
        return PREFIX[option]
    group = option.rpartition("/")[0]
    return "hydra.sweeper" if option == "hydra/sweeper/trainyard" else group.replace("/", ".")


def keys(option: str) -> list[Key]:
    """The keys that an option's YAML itself has, in its order."""
    text, node = read(option)
    above = {each.name: each.meaning for base in bases(text) for each in keys(base)}
    found = walk(text, node, prefix(option), "") if node else []
    return [key if key.meaning else key._replace(meaning=above.get(key.name, "")) for key in found]


def bases(text: str) -> list[str]:
    """The parts of conf/base that an option has in its defaults."""
    return re.findall(r"^  - /(base/\w+)", text, re.MULTILINE)


def walk(text: str, node: yaml.MappingNode, above: str, target: str) -> list[Key]:
    """The keys below a node of the tree; `target` is the nearest _target_ above them."""
    target = next((value.value for key, value in node.value if key.value == "_target_"), target)
    found = []
    for key, value in node.value:
        if key.value in STRUCTURE or (not above and key.value == "hydra"):
            continue
        name = f"{above}.{key.value}" if above else key.value
        default = text[value.start_mark.index : value.end_mark.index].strip()
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            own = next((item.value for inner, item in value.value if inner.value == "_target_"), "")
            said = comment(text, key.end_mark.index)
            if own:
                found.append(Key(name, own, said or first_line(own)))
            found += walk(text, value, name, own or target)
        else:
            said = comment(text, value.end_mark.index)
            found.append(Key(name, default, said or other_key(default) or argument(target, key.value)))
    return found


def comment(text: str, index: int) -> str:
    """The comment on the rest of the line."""
    return text[index:].partition("\n")[0].partition("#")[2].strip()


def other_key(default: str) -> str:
    """What an interpolation means: the key that it names."""
    names = re.findall(r"\$\{(?:oc\.select:)?([\w.]+)(?:,\w+)?\}", default)
    return f"follows `{names[0]}`" if names else ""


def docstrings(target: str) -> list[str]:
    """Those of a class, its constructor and the classes it derives from, or of a function; none of a missing extra."""
    try:
        thing = get_object(target)
    except ImportError:
        return []
    parts = [part for each in inspect.getmro(thing) for part in (each, each.__dict__.get("__init__"))] \
        if inspect.isclass(thing) else [thing]  # fmt: skip
    return [inspect.cleandoc(part.__doc__) for part in parts if getattr(part, "__doc__", None)]


def first_line(target: str) -> str:
    """The first sentence of a class's or function's docstring."""
    return next((plain(text.split("\n\n")[0]) for text in docstrings(target)), "")


def argument(target: str, name: str) -> str:
    """What the docstrings of a class or function say of an argument in their list of arguments."""
    listed = rf"^ *:?(?:param )?{name}:? *(?:\([^\n]*\))?: *((?:.+\n?)(?:\n? {{6,}}.+\n?)*)"
    found = (re.search(listed, text, re.MULTILINE) for text in (docstrings(target) if target else []))
    return next((sentence(each[1]) for each in found if each), "")


def sentence(text: str) -> str:
    """The first sentence of a paragraph."""
    text = re.sub(r" \(default: [^)]*\)", "", plain(text))
    return re.split(r"(?<=[^.][a-z)\]`'\"])\.(?=\s|$)", text)[0].rstrip(".")


def plain(text: str) -> str:
    """Without the markup of other packages' documentation, in one line."""
    text = re.sub(r":\w+(?::\w+)?:`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    return re.sub(r"\s+", " ", text).strip()


def cell(text: str) -> str:
    """A text in a table."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def heading(option: str) -> str:
    """The option as it is chosen on the command line."""
    group, _, name = option.rpartition("/")
    return f"{group}={name}" if group and group != "base" else option


def describe(option: str) -> list[str]:
    """The heading of an option, what it is, whose keys it has too, and the table of its own."""
    text, node = read(option)
    said = plain(" ".join(line.lstrip("# ") for line in header(text)))
    target = next((value.value for key, value in node.value if key.value == "_target_"), "") if node else ""
    what = said or (first_line(target) if target else "")
    lines = [f"### {heading(option)}" if option != "train" else "", "", f"{what}".rstrip(), ""]
    if target:
        lines += [f"`{target}`", ""]
    if links := [f"[{name}](#{name.replace('/', '')})" for name in bases(text)]:
        lines += [f"Also the keys of {', '.join(links)}.", ""]
    if found := keys(option):
        lines += ["| key | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{each.name}` | `{' '.join(each.default.split())}` | {cell(each.meaning)} |" for each in found
        ] + [""]
    return lines


def header(text: str) -> list[str]:
    """The comment at the top of a file, without Hydra's own."""
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return [line for line in lines[:end] if not line.startswith("# @package")]


def settings(option: str) -> list[str]:
    """What a recipe chooses and sets, as words of a command line."""
    text, _ = read(option)
    chosen = re.findall(r"^  - (?:override )?/?([\w/@.]+): (\S+)", text, re.MULTILINE)
    base = re.findall(r"^  - ([a-z]\w*)$", text, re.MULTILINE)
    group = option.partition("/")[0]
    words = [f"{group}={name}" for name in base] + [f"{name}={value}" for name, value in chosen]
    tree = {key: value for key, value in yaml.safe_load(text).items() if key != "defaults"}
    return words + [f"{key}={value}" for key, value in flatten(tree).items() if tree]


def page() -> str:
    """The whole page."""
    lines = [INTRO]
    for group in ORDER:
        own = [option for option in options() if (option.rpartition("/")[0] or option) == group]
        lines += [f"## {'Outside of all groups' if group == 'train' else group}", ""]
        if group in RECIPES:
            lines += ["| option | what it is | what it chooses and sets |", "|---|---|---|"]
            for option in own:
                said = plain(" ".join(line.lstrip("# ") for line in header(read(option)[0])))
                words = " ".join(f"`{word}`" for word in settings(option))
                lines.append(f"| `{heading(option)}` | {cell(said)} | {cell(words)} |")
            lines.append("")
        else:
            for option in own:
                lines += describe(option)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE}: {sum(len(keys(option)) for option in options())} keys")
