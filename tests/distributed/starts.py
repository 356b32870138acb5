"""Two kinds of start of two processes, what may happen to each, and how it has to end."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import processes
from ranks import start_ranks
from started import Start, parent, running, send

TRAIN = Path(__file__).parents[2] / "train.py"
FOLDERS = [str(Path(__file__).parent / folder) for folder in ("..", "../durability", ".")]  # of what configs name
SIGNALS = {"TERM": signal.SIGTERM, "USR1": signal.SIGUSR1}


class Driver(Start):
    """`python train.py hardware=ddp hardware.devices=2 ...`, which starts the two processes itself."""

    KINDS = ("kill -9 of a rank", "kill -9 of all ranks", "kill -9 of the driver", "TERM", "USR1")
    STARTING = 9.0

    def start(self, words: list[str], folder: Path, chance: float) -> None:
        """Every fourth one as a new interpreter, the others forked."""
        name, _, value = self.mark.partition("=")
        environment = {name: value, "PYTHONPATH": os.pathsep.join([*FOLDERS, os.environ.get("PYTHONPATH", "")])}
        if chance < 0.25:
            environment |= {**os.environ, "OMP_NUM_THREADS": "1", **environment}
            self.processes = [subprocess.Popen(
                [sys.executable, str(TRAIN), *words], cwd=folder, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, start_new_session=True)]  # fmt: skip
        else:
            self.processes = [processes.Process(processes.train, words, folder, **environment)]

    def ranks(self) -> dict[int, int]:
        own = [(pid, environment) for pid, environment in running() if self.mark in environment]
        return {int(value.removeprefix("RANK=")): pid for pid, environment in own if parent(pid) == self.pid
                for value in environment if value.startswith("RANK=")}  # fmt: skip

    @property
    def pid(self) -> int:
        return self.processes[0].pid

    def hit(self, kind: str, draw: random.Random) -> int | None:
        if kind == "kill -9 of the driver":
            send(self.pid, signal.SIGKILL)
        if kind in SIGNALS:
            send(self.pid, SIGNALS[kind])
        if not kind.startswith("kill -9 of a"):
            return None
        while len(ranks := self.ranks()) < 2 and not self.has_ended():
            time.sleep(0.02)
        rank = draw.randrange(2) if kind == "kill -9 of a rank" else None
        for each, pid in ranks.items():
            if rank in (None, each):
                send(pid, signal.SIGKILL)
        return rank

    def judge(self, kind: str, target: int | None, path: Path, place: str) -> list[str] | None:
        (code,), text = self.codes(), self.texts()
        if code == 0 and (path / "summary.json").exists():
            return None
        wrong = ["a traceback was printed: " + text] if has_traceback(text) else []
        expected = {"kill -9 of the driver": -9, "TERM": 75, "USR1": 75}.get(kind, 1)
        if code != expected:
            wrong.append(f"exit code {code}, not {expected}: {text}")
        if expected == 1:
            names = [f"rank {rank} {end}" for rank in ((0, 1) if target is None else (target,))
                     for end in ("was killed (SIGKILL)", "ended without a report")]  # fmt: skip
            if text.count("error:") != 1 or not any(name in text for name in names):
                wrong.append(f"not one message that names rank {target}: {text}")
        elif "error:" in text:
            wrong.append(f"an error was printed: {text}")
        return wrong


class Torchrun(Start):
    """Two processes that somebody else has started, who does nothing more."""

    KINDS = ("kill -9 of a rank", "kill -9 of all ranks", "TERM", "USR1", "TERM to a rank")
    STARTING = 1.5

    def start(self, words: list[str], folder: Path, chance: float) -> None:
        self.processes = start_ranks([*words, "hardware.timeout=10"], folder)

    def ranks(self) -> dict[int, int]:
        return {rank: process.pid for rank, process in enumerate(self.processes)}

    def hit(self, kind: str, draw: random.Random) -> int | None:
        rank = draw.randrange(2) if kind.endswith("a rank") else None
        number = SIGNALS.get(kind.partition(" ")[0], signal.SIGKILL)
        for each, pid in self.ranks().items():
            if rank in (None, each):
                send(pid, number)
        return rank

    def judge(self, kind: str, target: int | None, path: Path, place: str) -> list[str] | None:
        codes, text = self.codes(), self.texts()
        if 0 in codes and (path / "summary.json").exists():
            return None
        wrong = ["a traceback was printed: " + text] if has_traceback(text) else []
        expected = [75, 75]
        if place in ("start", "resuming"):  # a new process has no handler yet
            codes = [75 if code in (-signal.SIGTERM, -signal.SIGUSR1) else code for code in codes]
        if kind.startswith("kill"):
            expected = [-9 if target in (None, rank) else 1 for rank in range(2)]
        elif target is not None and place != "training, validation":  # it ends at once, and the other one misses it
            expected = codes if codes[target] == 75 and codes[1 - target] in (1, 75) else expected
        if codes != expected:
            wrong.append(f"exit codes {codes}, not {expected}: {text}")
        if 1 in expected and (text.count("error:") != 1 or f"rank {target} " not in text):
            wrong.append(f"not one message that names rank {target}: {text}")
        elif 1 not in expected and "error:" in text:
            wrong.append(f"an error was printed: {text}")
        return wrong


def has_traceback(text: str) -> bool:
    """Whether one was printed that is not of a data worker whose process was killed just then."""
    return "Traceback" in text and "_worker_loop" not in text
