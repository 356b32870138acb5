"""What the columns of a table are: numbers or categories, inputs or targets. (Nothing here imports torch.)"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from trainyard.data.loading.table_file import Table, find_table, read_table
from trainyard.errors import did_you_mean

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None")
MOSTLY = 0.5  # a column with more numbers than this part is one of numbers, and a word in it a mistake
KINDS = ("classes", "numbers", "labels")


@dataclass(frozen=True)
class Column:
    """A column of inputs. A category is one of `categories`; a number has none."""

    name: str
    categories: tuple[str, ...] | None = None
    has_missing: bool = False  # whether a cell of the table is empty


@dataclass(frozen=True)
class Options:
    """How a config describes a table; the keys are those of conf/data/tabular.yaml."""

    path: str
    target: Any = None
    columns: Sequence[str] | None = None
    categories: Sequence[str] = ()
    missing: Sequence[str] = field(default=MISSING)
    max_categories: int = 100
    kind: str = "classes"

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> "Options":
        """The options in a config group."""
        given = {key: node[key] for key in cls.__dataclass_fields__ if key == "path" or key in node}
        lists = {key: tuple(given[key]) for key in ("columns", "categories", "missing") if given.get(key) is not None}
        return cls(**{**given, **lists})

    def targets(self, names: Sequence[str]) -> list[str]:
        """The headings of what is predicted, among those of a table: by default the last one."""
        given = [self.target] if isinstance(self.target, str) else list(self.target or names[-1:])
        check_known(given, names, "data.target")
        return given

    def inputs(self, names: Sequence[str]) -> list[str]:
        """The headings of the inputs: by default all but the targets."""
        targets = self.targets(names)
        check_known(self.columns or (), names, "data.columns")
        if both := [name for name in self.columns or () if name in targets]:
            raise ValueError(f"data.columns names {both[0]}, which is the target; leave it out")
        found = [name for name in self.columns or names if name not in targets]
        if not found:
            raise ValueError(f"the table has no column besides the target {', '.join(targets)}")
        check_known(self.categories, found, "data.categories")
        return found


def check_known(given: Sequence[str], names: Sequence[str], key: str) -> None:
    """Raise ValueError for a heading that the table lacks."""
    for name in given:
        if name not in names:
            near = did_you_mean(name, names)
            raise ValueError(f"{key}: the table has no column {name}.{near} It has {', '.join(names)}")


def training_table(options: Options) -> Table:
    """The table that has the training rows."""
    file = find_table(options.path)
    assert file is not None
    return read_table(file)


def find_columns(table: Table, options: Options) -> list[Column]:
    """The columns of inputs. ValueError for one that is neither numbers nor categories."""
    return [find_column(name, table, options) for name in options.inputs(list(table.columns))]


def find_column(name: str, table: Table, options: Options) -> Column:
    """What a column contains: numbers, unless it has words, or is named in `categories`."""
    cells = [cell for cell in table.columns[name] if cell not in options.missing]
    if not cells:
        raise ValueError(f"{table.file}: the column {name} is empty; name the others in data.columns")
    has_missing = len(cells) < len(table)
    words = [] if name in options.categories else [cell for cell in cells if not is_number(cell)]
    if name not in options.categories and not words:
        return Column(name, None, has_missing)
    if words and len(words) < MOSTLY * len(cells):
        line = table.lines[table.columns[name].index(words[0])]
        raise ValueError(
            f"{table.file}, line {line}: {words[0]!r} in the column {name}, which has numbers otherwise "
            f"({len(words)} of {len(cells)} cells are none); name it in data.missing or {name} in data.categories"
        )
    found = sorted(set(cells))
    if len(found) > options.max_categories:
        raise ValueError(
            f"{table.file}: the column {name} has {len(found):,} categories, more than data.max_categories="
            f"{options.max_categories}; raise that, or name the other columns in data.columns"
        )
    return Column(name, tuple(found), has_missing)


def is_number(text: str) -> bool:
    """Whether a cell is a finite number."""
    try:
        return isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def width(columns: Sequence[Column]) -> int:
    """The numbers that the network gets for a row: see `TableEncoder`."""
    return sum(1 if each.categories is None else len(each.categories) for each in columns) + sum(
        each.has_missing for each in columns
    )


def find_classes(table: Table, options: Options) -> list[str]:
    """The names of the classes in the target's column, in order; of several targets their headings."""
    targets = options.targets(list(table.columns))
    if options.kind == "labels":
        return targets
    if len(targets) > 1:
        raise ValueError(
            f"data.target names {len(targets)} columns, {', '.join(targets)}: choose task=multilabel (0 or 1 in each) "
            "or task=regression"
        )
    names = {cell for cell in table.columns[targets[0]] if cell not in options.missing}
    if len(names) > options.max_categories:
        raise ValueError(
            f"{table.file}: the target {targets[0]} has {len(names):,} different values, more than data.max_categories="
            f"{options.max_categories}: for numbers choose task=regression"
        )
    return sorted(names, key=lambda name: (0, float(name), name) if is_number(name) else (1, 0.0, name))


def facts(node: Mapping[str, Any]) -> dict[str, Any]:
    """What a config needs to know of a table before it is loaded: shape of an input, classes, number of outputs."""
    options = Options.of(node)
    if options.kind not in KINDS:
        raise ValueError(f"data.kind={options.kind} must be one of {', '.join(KINDS)}")
    table = training_table(options)
    classes = None if options.kind == "numbers" else find_classes(table, options)
    return {
        "shape": [width(find_columns(table, options))],
        "classes": classes,
        "num_classes": classes and len(classes),
        "outputs": options.targets(list(table.columns)),
    }
