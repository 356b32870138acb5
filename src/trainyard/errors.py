"""Errors that a user can fix, and how they are shown."""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
SYNONYMS = {  # what other libraries call it
    "learning_rate": "lr", "epochs": "max_epochs", "num_epochs": "max_epochs", "bs": "batch_size", "wd": "weight_decay",
}  # fmt: skip
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # what a terminal would obey
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk without space, a quota, a limit on one file


class UserError(Exception):
    """A mistake that the user can fix, in a sentence or two: what is wrong, both values, the way out."""


class LostProcessError(Exception):
    """Another process of the same run has failed, so that this one cannot go on. The other one says why."""


def train_command() -> str:
    """The command with which this process's user trains: `python train.py`, or `trainyard train` in any folder."""
    return f"python {sys.argv[0]}" if Path(sys.argv[0]).name == "train.py" else "trainyard train"


def short_traceback(function: Callable[P, T]) -> Callable[P, T]:
    """Let a public function raise UserError without its inner traceback, unless its overrides contain debug=true."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            if any(isinstance(value, list | tuple) and "debug=true" in value for value in [*args, *kwargs.values()]):
                raise
            raise error.with_traceback(None) from None

    return call


@contextmanager
def exit_on_error(debug: bool) -> Iterator[None]:
    """Exit with an error message instead of a traceback, unless `debug`."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # now, where a pipe that nobody reads can be answered
    except LostProcessError:
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # as `... | head` closes it; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except Exception as error:
        if debug:
            raise
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", []))
        sys.exit(without_control(f"error: {describe_error(error)}{notes}\n(debug=true shows the traceback)"))


def exit_at_once(code: int) -> NoReturn:
    """End this process without waiting for its threads; what it has printed arrives."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def describe_error(error: Exception) -> str:
    """Return the message of a user error; for any other error also its type and location."""
    text = str(error).strip()
    if text.startswith("Caught ") and "Original Traceback" in text:  # torch's way to pass on a data worker's error
        text = text.splitlines()[-1].partition(": ")[2]
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return f"{error.filename or 'a file'} cannot be written: {error.strerror}"
    if isinstance(error, UserError | LostProcessError | FileNotFoundError | ValueError):
        return text
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" (at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {text}{place}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, the error that it came from, and so on; each once, as one may be its own cause."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the known words closest to a dotted `word`; empty if none is close."""
    known = sorted(set(known))
    parent, _, tail = word.rpartition(".")
    siblings = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == parent}
    usual = SYNONYMS.get(tail, tail)
    near = [siblings[usual]] if usual in siblings else []
    near = near or [siblings[key] for key in get_close_matches(tail, siblings, n=3, cutoff=0.75 if parent else 0.6)]
    near = near or [key for key in known if key.rpartition(".")[2] == usual][:3]
    elsewhere = [key for key in known if not parent or key.rpartition(".")[0] != parent != key]
    near = near or get_close_matches(word, elsewhere, n=3, cutoff=0.75)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def without_control(text: str) -> str:
    """A text for the terminal: every control character but line feeds and tabs is replaced by a question mark.

    Everything that is printed passes through here, because names and messages may come from someone else's files.
    """
    return CONTROL.sub("?", text)


def no_formula(text: str) -> str:
    """A text that a spreadsheet shows instead of computing it."""
    text = without_control(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def printable(value: Any, most: int = 80) -> str:
    """A value that someone else wrote, as one line for the terminal: no control characters, at most `most` letters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value)[: most + 1])
    return text if len(text) <= most else f"{text[:most]} ..."
