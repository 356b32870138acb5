"""Mistakes a user can mend, and how they are told."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class UserError(Exception):
    """A mistake of the user's, said in a sentence or two: what is wrong, both values, the way out."""


@contextmanager
def explained(debug: bool) -> Iterator[None]:
    """Leave the program with a sentence instead of a traceback, unless `debug`."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", []))
        sys.exit(f"error: {say(error)}{notes}\n(debug=true shows the traceback)")


def say(error: Exception) -> str:
    """A user's mistake as its sentence; anything else with its kind and place."""
    text = str(error).strip()
    if text.startswith("Caught ") and "Original Traceback" in text:  # torch's way to pass on a data worker's error
        text = text.splitlines()[-1].partition(": ")[2]
    if isinstance(error, UserError | FileNotFoundError | ValueError):
        return text
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" (at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {text}{place}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, step by step."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A closing question that names the known words nearest to a dotted `word`, or nothing where none is near."""
    known = sorted(set(known))
    parent, _, tail = word.rpartition(".")
    siblings = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == parent}
    near = [key for key in known if key.rpartition(".")[2] == tail][:3]
    near = near or [siblings[key] for key in get_close_matches(tail, siblings, n=3)]
    near = near or get_close_matches(word, known, n=3, cutoff=0.75)
    return f" Did you mean {' or '.join(near)}?" if near else ""
