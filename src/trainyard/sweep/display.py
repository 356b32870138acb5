"""What a sweep prints: a live table on a terminal, a line per trial elsewhere, and the outcome at the end."""

import logging
import shlex
import shutil
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

from trainyard.errors import train_command, without_control
from trainyard.logs import duration, render
from trainyard.sweep.options import Options
from trainyard.sweep.outcome import Outcome
from trainyard.sweep.storage import without_password
from trainyard.sweep.trial_queue import TrialQueue
from trainyard.sweep.trial_run import TrialRuns
from trainyard.sweep.trials import REASON, best_trial, counted_trials

MAX_ROWS = 12  # of the live table
STATE_NAMES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
log = logging.getLogger(__name__)


class Display:
    """`with` shows the table, `update` refreshes it."""

    def __init__(self, queue: TrialQueue, options: Options, runs: TrialRuns) -> None:
        self.queue, self.options, self.runs = queue, options, runs
        self.live = Live(console=Console(), auto_refresh=False, transient=True) if sys.stdout.isatty() else None
        self.started, self.finished_before = time.monotonic(), len(finished_trials(queue))
        self.refreshed, self.is_waiting = 0.0, False

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def update(self) -> None:
        """Draw the table again, once a second."""
        if self.live is None or time.monotonic() - self.refreshed < 1:
            return
        self.refreshed = time.monotonic()
        trials = counted_trials(self.queue.study)
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        rows = sorted(trials, key=lambda trial: (trial.state != TrialState.RUNNING, -trial.number))[:MAX_ROWS]
        table = make_table(rows, self.runs, best_trial(self.queue.study))
        self.live.update(Group(table, f"{self.progress()}, {len(running)} running; {self.time_left()}"), refresh=True)

    def print_start(self, trial: FrozenTrial) -> None:
        """Print a line on a job that begins, where no table shows it."""
        if self.live is None and not self.options.is_search:
            self.print_line(f"job {self.runs.number(trial)}: {self.words(trial)}")

    def words(self, trial: FrozenTrial) -> str:
        """What a job has of its own, as it would be typed."""
        return " ".join(self.runs.space.overrides(trial.params))

    def print_outcome(self, trial: FrozenTrial, outcome: Outcome) -> None:
        """Print a line on a trial that has ended."""
        pairs = zip(self.options.objectives, outcome.values or [], strict=False)
        scores = "".join(f" {name} {value:.4f}" for name, value in pairs)
        values = " ".join(f"{name}={short(value)}" for name, value in trial.params.items())
        values = values if self.options.is_search else self.words(trial)
        reason = f": {outcome.reason}" if outcome.reason else ""
        line = (
            f"{self.options.noun} {self.runs.number(trial)}: {STATE_NAMES[outcome.state]}{scores}{reason}  {values}  "
            f"[{self.progress()}; {self.time_left()}]"
        )
        self.print_line(line)
        self.is_waiting = False

    def print_waiting(self) -> None:
        """Say that this process waits for the trials of others, when it begins to."""
        numbers = ", ".join(str(self.runs.number(trial)) for trial in self.queue.running())
        if numbers and not self.is_waiting:
            self.print_line(
                f"waiting for {self.options.noun}s of other processes ({numbers}), to continue them if these processes "
                "die; Ctrl-C leaves them to the others"
            )
        self.is_waiting = bool(numbers)

    def print_line(self, line: str) -> None:
        """Print a line, above the table where there is one."""
        (self.live.console.print(escape(without_control(line))) if self.live else log.info(line))

    def progress(self) -> str:
        """How many trials have ended, and the best of them."""
        progress = f"{len(finished_trials(self.queue))} of {self.options.n_trials}"
        best = best_trial(self.queue.study)
        if best is None or best.value is None:
            return progress
        return f"{progress}, best {best.value:.4f} ({self.options.noun} {self.runs.number(best)})"

    def time_left(self) -> str:
        """How long the rest takes at the rate so far, over all processes."""
        done = len(finished_trials(self.queue)) - self.finished_before
        if not done:
            return "time left unknown"
        seconds = (time.monotonic() - self.started) / done * (self.options.n_trials - done - self.finished_before)
        return f"about {duration(seconds)} left"


def finished_trials(queue: TrialQueue) -> list[FrozenTrial]:
    """The trials that have ended."""
    return [trial for trial in counted_trials(queue.study) if trial.state != TrialState.RUNNING]


def make_table(trials: list[FrozenTrial], runs: TrialRuns, best: FrozenTrial | None) -> Table:
    """A row per trial or job."""
    names, options = list(dict.fromkeys(name for trial in trials for name in trial.params)), runs.options
    step = "step" if options.is_search else "epoch"
    table = Table(options.noun, "state", *options.objectives, step, "time", *map(escape, headings(names)), box=SIMPLE)
    for column in table.columns:
        column.overflow = "fold"
    for trial in trials:
        latest = runs.progress(trial)
        running = f"({latest[1]:.4f})" if latest else ""
        scores = [f"{value:.4f}" for value in trial.values or []] or [running] * len(options.objectives)
        started = trial.datetime_start.timestamp() if trial.datetime_start else time.time()
        seconds = trial.duration.total_seconds() if trial.duration else time.time() - started
        table.add_row(
            str(runs.number(trial)), STATE_NAMES[trial.state], *scores, str(latest[0]) if latest else "",
            duration(seconds), *(escape(short(trial.params.get(name, ""))) for name in names),
            style="bold green" if best and best.number == trial.number else None,
        )  # fmt: skip
    return table


def headings(names: list[str]) -> list[str]:
    """The last part of each key, or all of it where two end alike."""
    lasts = [",".join(key.rpartition(".")[2] for key in name.split(",")) for name in names]
    return [last if lasts.count(last) == 1 else name for last, name in zip(lasts, names, strict=True)]


def print_results(study: optuna.Study, runs: TrialRuns) -> None:
    """Print the best trials, how many were pruned or failed and why, and the paths of the results."""
    options = runs.options
    trials = counted_trials(study)
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    lower = next(iter(options.objectives.values())) == "min"
    ranked = sorted(done, key=lambda trial: (trial.values or [0])[0] * (1 if lower else -1))
    ranked = study.best_trials if len(options.objectives) > 1 and done else ranked[:5]
    table = render(make_table(ranked, runs, best_trial(study)))
    states = Counter(STATE_NAMES[trial.state] for trial in trials)
    log.info("%s\n\n%s", table, ", ".join(f"{count} {state}" for state, count in states.items()))
    reasons = Counter(
        trial.user_attrs.get(REASON, "") for trial in trials
        if trial.state == TrialState.FAIL or "pruned" not in trial.user_attrs.get(REASON, "pruned")
    )  # fmt: skip
    for reason, count in reasons.most_common():
        log.info("  %d x %s", count, reason)
    experiment = options.folder / "best.yaml"
    log.info(
        "table:  %s\n%scurves: tensorboard --logdir %s\nstudy:  optuna-dashboard %s%s",
        options.folder / "trials.csv",
        f"best:   {train_command()} {shlex.quote(f'experiment={experiment}')}\n" if experiment.is_file() else "",
        options.folder, without_password(options.location),
        "" if shutil.which("optuna-dashboard") else "  (pip install optuna-dashboard)",
    )  # fmt: skip


def short(value: Any) -> str:
    """A value in a few digits."""
    return f"{value:.4g}" if isinstance(value, float) else without_control(str(value))
