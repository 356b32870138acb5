"""Which trial comes next, and what became of each: the budget belongs to the study, exact over all its processes."""

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

from trainyard.durability.run_lock import is_locked
from trainyard.sweep.heartbeat import Heartbeat
from trainyard.sweep.outcome import Outcome
from trainyard.sweep.space import Space
from trainyard.sweep.study import without_sampler, writable_trial

OWNER, DISCARDED, REASON = "owner", "discarded", "reason"  # attributes of a trial
NOBODY = ""  # the owner has released the trial
CLAIM_DELAY = 1.0  # seconds until all processes have seen who claimed a trial
MAX_DRAWS = 20
log = logging.getLogger(__name__)


class TrialQueue:
    """The study's trials as one process sees them. A trial whose owner died is continued under its own number."""

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        heartbeat: Heartbeat,
        n_trials: int,
        folder: Callable[[FrozenTrial], Path],
    ) -> None:
        self.study, self.space, self.heartbeat, self.n_trials, self.folder = study, space, heartbeat, n_trials, folder
        self.study_without_sampler = without_sampler(study)
        self.is_exhausted = self.is_stuck = False

    def claim(self) -> FrozenTrial | None:
        """An orphaned or a new trial, now owned by this process; None if there is none."""
        return self.claim_orphan() or self.draw()

    def claim_orphan(self) -> FrozenTrial | None:
        """A trial whose owner is gone. Of several processes that want it, the last to mark it as owner gets it."""
        for trial in counted_trials(self.study, TrialState.RUNNING):
            owner = trial.user_attrs.get(OWNER)
            if owner != NOBODY and not self.heartbeat.is_dead(owner or f"trial-{trial.number}"):
                continue
            if not self.space.contains(trial.params):  # killed while its values were drawn, or not drawn here at all
                self.discard(trial, "no values of this search space")
                continue
            if is_locked(self.folder(trial)):  # its training outlives the sweep by a moment, to write a resume point
                continue
            self.mark(trial, OWNER, self.heartbeat.name)
            time.sleep(CLAIM_DELAY)
            if (trial := self.study.trials[trial.number]).user_attrs[OWNER] == self.heartbeat.name:
                return trial
        return None

    def draw(self) -> FrozenTrial | None:
        """A new trial with values that none had before, within the budget."""
        for attempt in range(MAX_DRAWS):
            if self.is_exhausted or self.is_stuck or len(counted_trials(self.study)) >= self.n_trials:
                return None
            asked = self.study.ask(self.space.distributions)
            asked.set_user_attr(OWNER, self.heartbeat.name)
            trial = self.study.trials[asked.number]
            earlier = [other for other in counted_trials(self.study) if started_before(other, trial)]
            if len(earlier) >= self.n_trials:  # others asked at the same time, and were first
                self.discard(trial, "beyond n_trials")
                continue
            if all(other.params != trial.params for other in earlier):
                return trial
            self.discard(trial, "a duplicate")
            self.enqueue_untried(attempt)
        log.warning("%d draws in a row were duplicates of earlier trials: the sweep ends here", MAX_DRAWS)
        self.is_stuck = True
        return None

    def enqueue_untried(self, attempt: int) -> None:
        """After a few duplicates in a finite space, have one of the untried points tried next."""
        points = self.space.points()
        if points is None:
            return
        tried = [trial.params for trial in counted_trials(self.study)]
        untried = [point for point in points if point not in tried]
        self.is_exhausted = not untried
        if untried and attempt >= 2:
            self.study.enqueue_trial(random.Random(len(tried)).choice(untried))

    def discard(self, trial: FrozenTrial, reason: str) -> None:
        """Mark a trial as discarded, so that it does not count."""
        self.mark(trial, DISCARDED, reason)
        self.tell(trial.number, TrialState.FAIL)

    def finish(self, trial: FrozenTrial, outcome: Outcome) -> None:
        """Record what became of a trial of this process; nothing if another process has taken it over."""
        if self.study.trials[trial.number].user_attrs.get(OWNER) != self.heartbeat.name:
            log.warning("trial %d belongs to another process by now, which will record it", trial.number)
            return
        if outcome.reason:
            self.mark(trial, REASON, outcome.reason)
        self.tell(trial.number, outcome.state, outcome.values)

    def release(self, trial: FrozenTrial) -> None:
        """Leave a trial to the next process that wants one."""
        self.mark(trial, OWNER, NOBODY)

    def mark(self, trial: FrozenTrial, name: str, value: str) -> None:
        """Set an attribute of a trial, unless another process has finished it in the meantime."""
        with suppress(UpdateFinishedTrialError):
            writable_trial(self.study_without_sampler, trial).set_user_attr(name, value)

    def tell(self, number: int, state: TrialState, values: list[float] | None = None) -> None:
        """Tell Optuna how a trial ended; only the first time counts."""
        # an exhausted grid would stop Optuna's own loop, which does not run here: duplicates tell it as well
        with suppress(RuntimeError, UpdateFinishedTrialError):
            self.study.tell(number, values, state=state, skip_if_finished=True)

    def has_unknown_owner(self) -> bool:
        """Whether a trial runs elsewhere of which it is not known yet that its process lives."""
        running = counted_trials(self.study, TrialState.RUNNING)
        return any(not self.heartbeat.is_alive(trial.user_attrs.get(OWNER) or NOBODY) for trial in running)


def started_before(one: FrozenTrial, other: FrozenTrial) -> bool:
    """Whether a trial started before the other. Of two that each seem to be first both are discarded, never kept."""
    if one.number == other.number or one.datetime_start is None or other.datetime_start is None:
        return one.number < other.number
    return one.number < other.number or one.datetime_start < other.datetime_start


def counted_trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """The trials of the study, without those that were discarded or only wait."""
    wanted = states or (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return [t for t in study.get_trials(deepcopy=False, states=wanted) if DISCARDED not in t.user_attrs]


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The best trial; None where there is none yet, and with several objectives."""
    return study.best_trial if len(study.directions) == 1 and counted_trials(study, TrialState.COMPLETE) else None


def enqueue_baseline(study: optuna.Study, values: dict[str, Any]) -> None:
    """Have the config's own `values` tried first."""
    if not study.trials:
        study.enqueue_trial(values, skip_if_exists=True)
