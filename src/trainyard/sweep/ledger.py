"""Which trial comes next, and what became of each: the budget is the study's, exact over all its processes."""

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from trainyard.reliability.folder import is_busy
from trainyard.sweep.heart import Heart
from trainyard.sweep.outcome import Outcome
from trainyard.sweep.space import Space
from trainyard.sweep.study import live, quiet

OWNER, DISCARDED, REASON = "owner", "discarded", "reason"
NOBODY = ""  # the owner has left the trial to whoever comes next
SETTLE = 1.0  # seconds until all have seen who took a trial over
TRIES = 20
log = logging.getLogger(__name__)


class Ledger:
    """The study's trials as one process sees them. A trial whose owner died is gone on with, under its own number."""

    def __init__(
        self, study: optuna.Study, space: Space, heart: Heart, n_trials: int, folder: Callable[[FrozenTrial], Path]
    ) -> None:
        self.study, self.space, self.heart, self.n_trials, self.folder = study, space, heart, n_trials, folder
        self.quiet = quiet(study)
        self.is_exhausted = self.is_stuck = False

    def next(self) -> FrozenTrial | None:
        """An orphan or a new trial, now this process's own; None if there is none to be had."""
        return self.orphan() or self.new()

    def orphan(self) -> FrozenTrial | None:
        """A trial whose owner is gone. Of several processes that want it, the last to write its name has it."""
        for trial in counted(self.study, TrialState.RUNNING):
            owner = trial.user_attrs.get(OWNER)
            if owner != NOBODY and not self.heart.is_dead(owner or f"trial-{trial.number}"):
                continue
            if set(trial.params) != set(self.space.parameters):  # killed while its values were drawn
                self.discard(trial, "never begun")
                continue
            if is_busy(self.folder(trial)):  # its training outlives the sweep by a moment: it writes a resume point
                continue
            self.mark(trial, OWNER, self.heart.name)
            time.sleep(SETTLE)
            if (trial := self.study.trials[trial.number]).user_attrs[OWNER] == self.heart.name:
                return trial
        return None

    def new(self) -> FrozenTrial | None:
        """Draw values that no trial had before, within the budget."""
        for attempt in range(TRIES):
            if self.is_exhausted or self.is_stuck or len(counted(self.study)) >= self.n_trials:
                return None
            asked = self.study.ask(self.space.distributions)
            asked.set_user_attr(OWNER, self.heart.name)
            trial = self.study.trials[asked.number]
            before = [other for other in counted(self.study) if came_first(other, trial)]
            if len(before) >= self.n_trials:  # others asked at the same time, and were first
                self.discard(trial, "beyond n_trials")
                continue
            if all(other.params != trial.params for other in before):
                return trial
            self.discard(trial, "a duplicate")
            self.lead_away(attempt)
        log.warning("%d draws in a row were duplicates of earlier trials: the sweep ends here", TRIES)
        self.is_stuck = True
        return None

    def lead_away(self, attempt: int) -> None:
        """After a few duplicates in a finite space, have one of the points left tried next."""
        points = self.space.points()
        if points is None:
            return
        had = [trial.params for trial in counted(self.study)]
        left = [point for point in points if point not in had]
        self.is_exhausted = not left
        if left and attempt >= 2:
            self.study.enqueue_trial(random.Random(len(had)).choice(left))

    def discard(self, trial: FrozenTrial, why: str) -> None:
        """Take a trial out of the count."""
        self.mark(trial, DISCARDED, why)
        self.tell(trial.number, TrialState.FAIL)

    def finish(self, trial: FrozenTrial, outcome: Outcome) -> None:
        """Write down what became of a trial of this process's own."""
        if outcome.reason:
            self.mark(trial, REASON, outcome.reason)
        self.tell(trial.number, outcome.state, outcome.values)

    def release(self, trial: FrozenTrial) -> None:
        """Leave a trial to whoever comes next."""
        self.mark(trial, OWNER, NOBODY)

    def mark(self, trial: FrozenTrial, name: str, value: str) -> None:
        """Write on a trial, unless another process has finished it meanwhile."""
        with suppress(UpdateFinishedTrialError):
            live(self.quiet, trial).set_user_attr(name, value)

    def tell(self, number: int, state: TrialState, values: list[float] | None = None) -> None:
        """Once: a second word on a trial changes nothing."""
        # a grid that is through would stop Optuna's own loop, which does not run here: duplicates say it as well
        with suppress(RuntimeError, UpdateFinishedTrialError):
            self.study.tell(number, values, state=state, skip_if_finished=True)

    def is_unsure(self) -> bool:
        """Whether a trial runs elsewhere of which it is not known yet that its process lives."""
        running = counted(self.study, TrialState.RUNNING)
        return any(not self.heart.is_alive(trial.user_attrs.get(OWNER) or NOBODY) for trial in running)


def came_first(one: FrozenTrial, other: FrozenTrial) -> bool:
    """Whether a trial was begun before the other. Two that each seem to come first are both given up, never kept."""
    if one.number == other.number or one.datetime_start is None or other.datetime_start is None:
        return one.number < other.number
    return one.number < other.number or one.datetime_start < other.datetime_start


def counted(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """The trials of the study but for the discarded ones and those that only wait."""
    wanted = states or (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return [t for t in study.get_trials(deepcopy=False, states=wanted) if DISCARDED not in t.user_attrs]


def best_of(study: optuna.Study) -> FrozenTrial | None:
    """The best trial; None where there is none yet, and none of several objectives."""
    return study.best_trial if len(study.directions) == 1 and counted(study, TrialState.COMPLETE) else None


def first_point(study: optuna.Study, values: dict[str, Any]) -> None:
    """Have the config's own values tried first."""
    if not study.trials:
        study.enqueue_trial(values, skip_if_exists=True)
