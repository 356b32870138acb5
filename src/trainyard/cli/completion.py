"""Tab completion in the shell, `eval "$(trainyard -sc install=bash)"`: Hydra's script, and its answers for train."""

import io
import os
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from pathlib import Path

from trainyard.cli import train
from trainyard.config_keys import OF_RUNS

PLACES = ("like", "resume", *OF_RUNS)  # keys whose values are run directories
FLAGS = ("-sc", "--shell-completion")


def is_completion(words: Sequence[str]) -> bool:
    """Whether the shell asks, not the user."""
    return any(word in FLAGS for word in words)


def complete(words: Sequence[str], commands: Sequence[str]) -> None:
    """Print the script that the shell installs, or for its query what may follow; never an error into the prompt."""
    words = [word for word in words if word != "train"]
    if not any(word.startswith("query=") for word in words):
        train.run_words(words)
        return
    line = os.environ.get("COMP_LINE", "")
    typed = re.fullmatch(r"\s*\S*trainyard\s+(\S*)(\s.*)?", line)
    place = re.search(rf"\s({'|'.join(PLACES)})=(\S*)$", line)
    with suppress(Exception, SystemExit), redirect_stderr(io.StringIO()):
        if place:
            folder, slash, start = place[2].rpartition("/")
            found = Path(f"{folder}{slash}").glob(f"{start}*")
            print(" ".join(f"{place[1]}={folder}{slash}{path.name}" for path in found))
        elif typed is None:  # python train.py ...
            train.run_words(words)
        elif typed[2] is None:
            print(" ".join(name for name in commands if name.startswith(typed[1])))
        elif typed[1] == "train":
            os.environ["COMP_LINE"] = f"trainyard{typed[2]}"  # the name of a program, and Hydra's words
            train.run_words(words)
