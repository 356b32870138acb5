"""What a sweep shows: a live table on a terminal, a line for each trial elsewhere, and the outcome at the end."""

import logging
import shlex
import sys
import time
from collections import Counter
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from trainyard.sweep.ledger import REASON, Ledger, best_of, counted
from trainyard.sweep.options import Options
from trainyard.sweep.outcome import Outcome
from trainyard.sweep.storage import shown

SHOWN = 12  # trials in the live table
NAMES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "runs",
}
log = logging.getLogger(__name__)


class Display:
    """`with` shows the table; `update` brings it up to date."""

    def __init__(self, ledger: Ledger, options: Options) -> None:
        self.ledger, self.options = ledger, options
        self.live = Live(console=Console(), auto_refresh=False, transient=True) if sys.stdout.isatty() else None
        self.begun, self.before, self.looked = time.monotonic(), len(finished(ledger)), 0.0

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def update(self) -> None:
        """Draw the table anew, once a second."""
        if self.live is None or time.monotonic() - self.looked < 1:
            return
        self.looked = time.monotonic()
        trials = counted(self.ledger.study)
        best = best_of(self.ledger.study)
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        rows = sorted(trials, key=lambda trial: (trial.state != TrialState.RUNNING, -trial.number))[:SHOWN]
        table = make_table(rows, self.options, best)
        said = f"{self.standing()}, {len(running)} running; {self.left()}"
        self.live.update(Group(table, said), refresh=True)

    def tell(self, trial: FrozenTrial, end: Outcome) -> None:
        """A line on a trial that is over."""
        scores = ", ".join(
            f"{name} {value:.4f}" for name, value in zip(self.options.objectives, end.values or [], strict=False)
        )
        values = " ".join(f"{name}={short(value)}" for name, value in trial.params.items())
        reason = f": {end.reason}" if end.reason else ""
        line = (
            f"trial {trial.number}: {NAMES[end.state]} {scores}{reason}  {values}  [{self.standing()}; {self.left()}]"
        )
        (self.live.console.print(escape(line)) if self.live else log.info(line))

    def standing(self) -> str:
        """How many trials are through, and the best of them."""
        best = best_of(self.ledger.study)
        said = f", best {best.value:.4f} (trial {best.number})" if best and best.value is not None else ""
        return f"{len(finished(self.ledger))} of {self.options.n_trials}{said}"

    def left(self) -> str:
        """How long the rest takes at the rate so far, over all processes."""
        done = len(finished(self.ledger)) - self.before
        if not done:
            return "time left unknown yet"
        seconds = (time.monotonic() - self.begun) / done * (self.options.n_trials - done - self.before)
        return f"about {duration(seconds)} left"


def finished(ledger: Ledger) -> list[FrozenTrial]:
    """The trials that are over."""
    return [trial for trial in counted(ledger.study) if trial.state != TrialState.RUNNING]


def make_table(trials: list[FrozenTrial], options: Options, best: FrozenTrial | None) -> Table:
    """A row for each trial."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    table = Table("trial", "state", *options.objectives, "step", "time", *map(escape, heads(names)), box=SIMPLE)
    for column in table.columns:
        column.overflow = "fold"
    for trial in trials:
        latest = max(trial.intermediate_values, default=None)
        running = "" if latest is None else f"({trial.intermediate_values[latest]:.4f})"
        scores = [f"{value:.4f}" for value in trial.values or []] or [running] * len(options.objectives)
        begun = trial.datetime_start.timestamp() if trial.datetime_start else time.time()
        seconds = trial.duration.total_seconds() if trial.duration else time.time() - begun
        table.add_row(
            str(trial.number), NAMES[trial.state], *scores, "" if latest is None else str(latest), duration(seconds),
            *(escape(short(trial.params.get(name, ""))) for name in names),
            style="bold green" if best and best.number == trial.number else None,
        )  # fmt: skip
    return table


def heads(names: list[str]) -> list[str]:
    """The last part of each key, or all of it where two end alike."""
    lasts = [name.rpartition(".")[2] for name in names]
    return [last if lasts.count(last) == 1 else name for last, name in zip(lasts, names, strict=True)]


def tell_results(study: optuna.Study, options: Options) -> None:
    """The best trials, how many were pruned or failed and why, and where everything lies."""
    trials = counted(study)
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    lower = next(iter(options.objectives.values())) == "min"
    ranked = sorted(done, key=lambda trial: (trial.values or [0])[0] * (1 if lower else -1))
    ranked = study.best_trials if len(options.objectives) > 1 and done else ranked[:5]
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(make_table(ranked, options, best_of(study)))
    states = Counter(NAMES[trial.state] for trial in trials)
    log.info("%s%s", capture.get(), ", ".join(f"{count} {state}" for state, count in states.items()))
    reasons = Counter(
        trial.user_attrs.get(REASON, "") for trial in trials
        if trial.state == TrialState.FAIL or "pruned" not in trial.user_attrs.get(REASON, "pruned")
    )  # fmt: skip
    for reason, count in reasons.most_common():
        log.info("  %d x %s", count, reason)
    recipe = options.folder / "best.yaml"
    log.info(
        "table:  %s\n%scurves: tensorboard --logdir %s\nstudy:  optuna-dashboard %s",
        options.folder / "trials.csv",
        f"best:   python train.py {shlex.quote(f'experiment={recipe}')}\n" if recipe.is_file() else "",
        options.folder, shown(options.location),
    )  # fmt: skip


def short(value: Any) -> str:
    """A value in a few digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """So many seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
