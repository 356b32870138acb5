"""Runs of every variant, killed (kill -9) at random instants and resumed: are they the uninterrupted ones?

    python tests/durability/chaos.py 200        or: make chaos N=200

A table says how many ends were bit for bit identical; the exit code is 1 if one was not.
"""

import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

PATIENCE = 120  # seconds, for a run of about one
MOST = 3  # kills before a run may come to its end
SERVER = multiprocessing.get_context("forkserver")  # each run is a process, forked from one that has imported torch


def training(words: list[str]) -> None:
    """In a process of its own: train, silently."""
    from trainyard.errors import UserError
    from trainyard.training.launch import train

    multiprocessing.set_start_method("fork", force=True)  # for data workers, as in a process that nobody forked
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        train(words)
    except UserError as error:
        raise SystemExit(str(error)) from error


@dataclass
class Outcome:
    """What became of a variant."""

    kills: int = 0
    runs: int = 0
    identical: int = 0
    failures: list[str] = field(default_factory=list)


class Variant:
    """A kind of training, its uninterrupted run, and what killing it has shown."""

    def __init__(self, name: str, words: list[str], root: Path) -> None:
        from variants import ALWAYS

        self.name, self.words, self.root, self.outcome = name, [*words, *ALWAYS], root, Outcome()
        self.numbers = count()

    def run_whole(self) -> None:
        """The uninterrupted run, and how long it takes."""
        started = time.monotonic()
        process = self.start([*self.words, f"run.dir={self.root}/whole"])
        process.join(PATIENCE)
        if process.exitcode != 0:
            raise RuntimeError(f"{self.name}: the uninterrupted run ended with {process.exitcode}")
        self.seconds, self.expected = time.monotonic() - started, came_to(self.root / "whole")

    def start(self, words: list[str]) -> Any:
        process = SERVER.Process(target=training, args=(words,))
        process.start()
        return process

    def torment(self, draw: random.Random, left: Callable[[], bool]) -> None:
        """One run: killed up to MOST times as long as kills are `left`, then left alone, then compared."""
        if not self.outcome.runs:
            self.run_whole()
        path = self.root / f"run-{next(self.numbers)}"
        for _ in range(draw.randint(1, MOST)):
            if not left():
                break
            started, process = time.monotonic(), self.start(self.again(path, draw))
            process.join(draw.uniform(0, 1.1 * self.seconds))
            if process.exitcode is None:
                process.kill()
                self.outcome.kills += 1
            else:  # quicker than thought
                self.seconds = min(self.seconds, time.monotonic() - started)
            process.join()
        process = self.start(self.again(path, draw))
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
        self.outcome.runs += 1
        if process.exitcode != 0:
            self.outcome.failures.append(f"{self.name}: {path} ended with {process.exitcode}")
        elif (found := came_to(path)) != self.expected:
            parts = [part for part in self.expected if found.get(part) != self.expected[part]]
            self.outcome.failures.append(f"{self.name}: {path} differs in {', '.join(parts)}")
        else:
            self.outcome.identical += 1

    def again(self, path: Path, draw: random.Random) -> list[str]:
        """The two ways to continue: the same words, or resume=; only the first before there is a run."""
        if (path / "config.resolved.yaml").exists() and (path / ".signature").exists() and draw.random() < 0.5:
            return [f"resume={path}"]
        return [*self.words, f"run.dir={path}"]


def came_to(path: Path) -> dict[str, Any]:
    """All that a run came to, part by part."""
    from variants import end

    from trainyard.runs.run import Run

    state, rows = end(Run(path))
    return {**state, "logged rows": rows, "test scores": Run(path).summary["test"]}


def campaign(kills: int, seed: int) -> list[Variant]:
    """At least that many kills, spread over all variants, two runs at a time."""
    from variants import VARIANTS

    SERVER.set_forkserver_preload(["trainyard.training.train", "variants"])
    root = Path(tempfile.mkdtemp(prefix="chaos-"))
    variants = [Variant(name, words, root / str(i)) for i, (name, words) in enumerate(VARIANTS.items())]
    made = lambda: sum(variant.outcome.kills for variant in variants)  # noqa: E731

    def work(first: int) -> None:
        draw, mine = random.Random(f"{seed} {first}"), variants[first::2]
        draw.shuffle(mine)
        while made() < kills:
            for variant in mine:
                if made() < kills:
                    variant.torment(draw, lambda: made() < kills)

    with ThreadPoolExecutor() as pool, Progress(disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task("kill -9", total=kills)
        workers = [pool.submit(work, first) for first in (0, 1)]
        while not all(worker.done() for worker in workers):
            time.sleep(0.5)
            progress.update(bar, completed=made())
        for worker in workers:
            worker.result()
    return variants


def main() -> None:
    """Print the table."""
    kills, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(time.time())
    os.environ.setdefault("XDG_DATA_HOME", tempfile.mkdtemp(prefix="chaos-"))
    os.environ.setdefault("XDG_CACHE_HOME", tempfile.mkdtemp(prefix="chaos-"))
    started = time.monotonic()
    variants = campaign(kills, seed)
    table = Table(title=f"seed {seed}, {time.monotonic() - started:.0f} s", title_justify="left")
    for column in ("variant", "kill -9", "runs", "identical"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    outcomes = {variant.name: variant.outcome for variant in variants}
    total = Outcome(*(sum(getattr(o, name) for o in outcomes.values()) for name in ("kills", "runs", "identical")))
    for name, outcome in {**outcomes, "all": total}.items():
        if outcome.runs:
            table.add_row(name, str(outcome.kills), str(outcome.runs), str(outcome.identical))
    Console(highlight=False).print(table)
    failures = [failure for outcome in outcomes.values() for failure in outcome.failures]
    print(*failures, sep="\n")
    print(f"{total.kills} kills, {total.identical} of {total.runs} runs bit for bit identical")
    sys.exit(total.identical != total.runs)


if __name__ == "__main__":
    main()
