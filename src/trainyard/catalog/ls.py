"""trainyard.ls: the runs below a folder as rows, to be compared, plotted or put into a DataFrame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from trainyard.catalog.entries import Entry, entries, sort
from trainyard.catalog.filters import choose, parse_states
from trainyard.catalog.listing import plain
from trainyard.config_keys import changes_numbers
from trainyard.report.rows import Rows


def ls(folder: str | Path = "outputs", where: Sequence[str] = (), state: Sequence[str] = (), by: str = "age") -> Rows:
    """A row for each run at or below `folder`, the newest first; `by` is age, score, size or name.

    A row has what `trainyard ls --format json` tells, the keys of the config that change the numbers and differ between
    these runs, and the scores of validation and test. `where` (model=gru, optimizer.lr=0.1) and `state` (done, failed
    ...) choose runs; `trainyard.load(row["run"])` opens one. UserError for a folder or a key that there is not.
    """
    listed = sort(choose(entries([Path(folder)]), parse_states(state), where), by)
    names = differing(listed)
    return Rows(
        {**plain(each), **{name: value(each.keys[name]) for name in names if name in each.keys}, **each.scores}
        for each in listed
    )


def differing(listed: Sequence[Entry]) -> list[str]:
    """The keys that change the numbers and have not the same value in all of the runs."""
    names = dict.fromkeys(name for each in listed for name in each.keys if changes_numbers(name))
    return [name for name in names if len({each.keys.get(name) for each in listed}) > 1]


def value(text: str) -> Any:
    """A value of the config from its text: a number, a truth value or null; lists and words remain text."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return found if isinstance(found, str | int | float | bool | None) else text
