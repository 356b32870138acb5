"""Choose runs by state, by keys of their config, by age."""

import re
from collections.abc import Iterable, Sequence

from trainyard.catalog.entries import Entry
from trainyard.catalog.states import STATES
from trainyard.errors import UserError, did_you_mean, printable

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_states(words: Iterable[str]) -> list[str]:
    """The states in the words, several of which may be joined by commas; UserError for an unknown one."""
    states = [state for word in words for state in word.split(",")]
    for state in states:
        if state not in STATES:
            hint = did_you_mean(state, STATES)
            raise UserError(f"--state {printable(state)} is unknown.{hint} Choose one of {', '.join(STATES)}.")
    return states


def parse_age(text: str) -> float:
    """Seconds in a time like 90m, 12h, 7d or 2w; UserError for anything else."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", text)
    if match is None:
        raise UserError(f"--older-than {printable(text)} is not a time; write 90m, 12h, 7d or 2w")
    return float(match[1]) * UNITS[match[2]]


def choose(
    listed: Sequence[Entry], states: Sequence[str] = (), where: Sequence[str] = (), older_than: float = 0.0
) -> list[Entry]:
    """The runs with one of the states, all the `key=value` and at least that age; UserError for an unknown key."""
    if wrong := [word for word in where if "=" not in word]:
        raise UserError(f"--where {printable(wrong[0])} is not a key=value; write --where model=gru")
    kept = list(listed)
    for word in where:
        key, _, value = word.partition("=")
        if listed and not any(key in each.keys for each in listed):
            known = {known for each in listed for known in each.keys}
            raise UserError(f"--where {printable(word)}: no run has the key {key}.{did_you_mean(key, known)}")
        kept = [each for each in kept if is_same(each.keys.get(key), value)]
    return [each for each in kept if (not states or each.state in states) and each.age >= older_than]


def is_same(there: str | None, asked: str) -> bool:
    """Whether two values are the same text, but for spaces, or the same number."""
    if there is None:
        return False
    there, asked = there.replace(" ", ""), asked.replace(" ", "")
    try:
        return there == asked or float(there) == float(asked)
    except ValueError:
        return False
