"""Runs of two processes, killed or stopped at random instants and resumed: are they the undisturbed ones?

    python tests/distributed/chaos_ddp.py 200 [SEED]        or: make chaos-ddp N=200

Half of the kills are those of runs that Trainyard's own driver starts (a new interpreter for each process), the other
half those of processes as torchrun starts them (forked, in tenths of a second). A run may be resumed by the other kind
of start. A table tells what happened; the exit code is 1 if a run ended differently, an exit code or a message was
wrong, or a process was left.
"""

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

for folder in ("..", "../durability", "."):
    sys.path.append(str(Path(__file__).parent / folder))

import processes  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from started import PATIENCE, Start  # noqa: E402
from starts import Driver, Torchrun  # noqa: E402
from variants import NET, TEXT  # noqa: E402
from variants import VARIANTS as KINDS  # noqa: E402

MOST = 3  # kills before a run may come to its end
WORDS = ["hardware.devices=2", "hardware.accelerator=cpu", "hardware.threads=1", "trainer.max_epochs=2",
         "trainer.log_every_n_steps=1", "callbacks.resume.every_n_steps=1", "callbacks.progress_bar=null",
         "callbacks.samples=null", "logger=none", "+callbacks.slow._target_=started.Slow"]  # fmt: skip
VARIANTS: dict[str, list[str]] = {
    "ddp": ["hardware=ddp", *NET, "model.dropout=0.5", "data.augment=flip", "data.num_workers=1"],
    "ddp, accumulation, text": ["hardware=ddp", *TEXT, "trainer.accumulate_grad_batches=2", "data.batch_size=20"],
    "fsdp": ["hardware=fsdp", *KINDS["causal language model"]],
}


@dataclass
class Outcome:
    """What became of a variant; `kills` by kind and by where in the run they came."""

    kills: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    identical: int = 0
    wrong: list[str] = field(default_factory=list)  # exit codes and messages
    orphans: int = 0
    longest: float = 0.0  # seconds from a kill to the end of all processes

    def made(self, kind: type[Start]) -> int:
        """The kills of runs that were started like this."""
        return sum(number for name, number in self.kills.items() if name.startswith(kind.__name__))


class Variant:
    """A kind of training, its undisturbed run, and what killing it has shown."""

    def __init__(self, name: str, words: list[str], root: Path) -> None:
        self.name, self.words, self.root, self.outcome = name, [*words, *WORDS], root, Outcome()
        self.numbers = count()

    def run_whole(self) -> None:
        """The undisturbed run."""
        self.root.mkdir()
        start = Torchrun([*self.words, f"run.dir={self.root}/whole"], self.root)
        if not start.wait(4 * PATIENCE) or any(start.codes()):
            raise RuntimeError(f"{self.name}: the undisturbed run ended with {start.codes()}: {start.texts()}")
        self.expected = came_to(self.root / "whole")

    def torment(self, draw: random.Random, left: Callable[[], bool], kind: type[Start]) -> None:
        """One run: killed up to MOST times as long as kills are `left`, then left alone, then compared."""
        path = self.root / f"run-{next(self.numbers)}"
        for _ in range(draw.randint(1, MOST)):
            if left():
                self.disturb(kind(self.again(path, draw), path.parent, draw.random()), path, draw)
        kind = draw.choice([kind, Torchrun])
        start = kind(self.again(path, draw), path.parent, draw.random())
        ended = start.wait(4 * PATIENCE)
        self.outcome.runs += 1
        self.outcome.orphans += len(start.kill_orphans())
        if not ended or any(start.codes()):
            self.outcome.wrong.append(f"{self.name}: {path}, left alone, ended with {start.codes()}: {start.texts()}")
        elif (found := came_to(path)) == self.expected:
            self.outcome.identical += 1
        else:
            parts = [part for part in self.expected if found.get(part) != self.expected[part]]
            self.outcome.wrong.append(f"{self.name}: {path} differs in {', '.join(parts)}")

    def disturb(self, start: Start, path: Path, draw: random.Random) -> None:
        """One kill or signal, and what it has to lead to."""
        kind = draw.choice(list(start.KINDS))
        place = start.wait_for_instant(path, draw)
        killed_at, target = time.monotonic(), start.hit(kind, draw)
        start.wait(PATIENCE)
        orphans, seconds = start.kill_orphans(), time.monotonic() - killed_at
        wrong = start.judge(kind, target, path, place)
        if wrong is None:
            return  # it had ended before
        self.outcome.kills[f"{type(start).__name__}: {kind}"] += 1
        self.outcome.places[place] += 1
        self.outcome.orphans += len(orphans)
        self.outcome.longest = max(self.outcome.longest, seconds)
        what = f"{self.name}: {path}, {type(start).__name__}, {kind} ({target}) during {place}"
        self.outcome.wrong += [f"{what}: {text}" for text in wrong]
        self.outcome.wrong += [f"{what}: {orphan} is left after {PATIENCE:g} s" for orphan in orphans]

    def again(self, path: Path, draw: random.Random) -> list[str]:
        """The two ways to continue: the same words, or resume=; only the first before there is a run."""
        if (path / "config.resolved.yaml").exists() and draw.random() < 0.7:
            return [f"resume={path}"]
        return [*self.words, f"run.dir={path}"]


def came_to(path: Path) -> dict[str, Any]:
    """All that a run came to, part by part; in one file, where its end is in parts."""
    import chaos  # deferred: it imports torch

    if any((path / "checkpoints").glob("*.shards-*")):
        processes.run(processes.trainyard, "consolidate", str(path), folder=path.parent)
    return chaos.came_to(path)


def campaign(kills: int, seed: int) -> list[Variant]:
    """So many kills, or a few more, spread over all variants and both kinds of start, two runs at a time."""
    root = Path(tempfile.mkdtemp(prefix="chaos-ddp-"))
    variants = [Variant(name, words, root / str(i)) for i, (name, words) in enumerate(VARIANTS.items())]
    for variant in variants:
        variant.run_whole()

    def work(number: int, kind: type[Start]) -> None:
        draw, turn = random.Random(f"{seed} {number}"), count(number)
        made = lambda: sum(variant.outcome.made(kind) for variant in variants)  # noqa: E731
        while made() < kills / 2:
            variants[next(turn) % len(variants)].torment(draw, lambda: made() < kills / 2, kind)

    with ThreadPoolExecutor() as pool:
        workers = [pool.submit(work, number, kind) for number, kind in enumerate((Driver, Torchrun))]
        for worker in workers:
            worker.result()
    return variants


def print_table(title: str, variants: list[Variant]) -> None:
    """What happened, by variant."""
    outcomes = [variant.outcome for variant in variants]
    table = Table(title=title, title_justify="left")
    for name in ("", *(variant.name for variant in variants), "all"):
        table.add_column(name, justify="right" if name else "left")

    def add(name: str, values: list[float]) -> None:
        table.add_row(name, *(f"{value:g}" for value in [*values, sum(values)]))

    for counters in ("kills", "places"):
        for name in sorted({name for outcome in outcomes for name in getattr(outcome, counters)}):
            add(name, [getattr(outcome, counters)[name] for outcome in outcomes])
        table.add_section()
    for name in ("runs", "identical", "orphans"):
        add(name, [getattr(outcome, name) for outcome in outcomes])
    add("wrong", [len(outcome.wrong) for outcome in outcomes])
    Console(highlight=False).print(table)


def main() -> None:
    """Run the campaign; print what came of it."""
    given = [int(word) for word in sys.argv[1:]]
    kills, seed = [*given, *(200, int(time.time()))[len(given) :]]
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        os.environ.setdefault(name, tempfile.mkdtemp(prefix="chaos-ddp-"))
    started = time.monotonic()
    variants = campaign(kills, seed)
    print_table(f"seed {seed}, {time.monotonic() - started:.0f} s", variants)
    outcomes = [variant.outcome for variant in variants]
    for outcome in outcomes:
        print(*outcome.wrong, sep="\n", end="\n" if outcome.wrong else "")
    made = sum(outcome.kills.total() for outcome in outcomes)
    same, runs = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("identical", "runs"))
    longest = max(outcome.longest for outcome in outcomes)
    print(f"{made} kills, {same} of {runs} runs bit for bit identical; the longest ending took {longest:.0f} s")
    sys.exit(any(outcome.wrong or outcome.orphans for outcome in outcomes))


if __name__ == "__main__":
    main()
