"""Which trial comes next, and what became of each: the budget belongs to the study, exact over all its processes."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from trainyard.durability.run_lock import is_locked
from trainyard.sweep.heartbeat import Heartbeat
from trainyard.sweep.outcome import MAX_ATTEMPTS, Outcome, newest_step
from trainyard.sweep.space import Space
from trainyard.sweep.study import without_sampler, writable_trial
from trainyard.sweep.trials import DISCARDED, REASON, counted_trials, started_before

OWNER = "owner"  # attribute of a trial
ATTEMPTS = "attempts"  # another: how many there were since it made progress, and the step that it had reached
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
        self.stops: Counter[tuple[int, int]] = Counter()  # how often a trial was released at a step
        self.left: set[int] = set()  # trials that were stopped too often for this process to continue them

    def claim(self, is_idle: bool = True) -> FrozenTrial | None:
        """An orphaned or a new trial, now owned by this process, which `is_idle`; None if there is none."""
        return self.claim_orphan(is_idle) or self.draw()

    def claim_orphan(self, is_idle: bool = True) -> FrozenTrial | None:
        """A trial whose owner is gone. Of several processes that want it, the last to mark it as owner gets it."""
        for trial in self.running():
            owner = trial.user_attrs.get(OWNER)
            if owner != NOBODY and not self.heartbeat.is_dead(owner or f"trial-{trial.number}"):
                continue
            if not is_idle and self.attempts(trial)[0] == MAX_ATTEMPTS - 1:  # its last attempt is made alone
                continue
            if not self.space.contains(trial.params):  # killed while its values were drawn, or not drawn here at all
                self.discard(trial, "no values of this search space")
                continue
            if is_locked(self.folder(trial)):  # its training outlives the sweep by a moment, to write a resume point
                continue
            self.mark(trial, OWNER, self.heartbeat.name)
            time.sleep(CLAIM_DELAY)
            if self.owns(trial):
                return self.study.trials[trial.number]
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
        if not self.owns(trial):
            log.warning("trial %d belongs to another process by now, which will record it", trial.number)
            return
        if outcome.reason:
            self.mark(trial, REASON, outcome.reason)
        self.tell(trial.number, outcome.state, outcome.values)

    def release(self, trial: FrozenTrial, on_purpose: bool = True) -> None:
        """Leave a trial to the next process that wants one. An attempt that was stopped `on_purpose` does not count."""
        if self.owns(trial):
            count, step = self.attempts(trial)
            self.mark(trial, ATTEMPTS, [max(0, count - on_purpose), step])
            self.mark(trial, OWNER, NOBODY)
            self.stops[trial.number, step] += 1
            if self.stops[trial.number, step] == MAX_ATTEMPTS:
                log.warning(
                    "trial %d was stopped %d times without progress: left to others", trial.number, MAX_ATTEMPTS
                )
                self.left.add(trial.number)

    def begin(self, trial: FrozenTrial) -> int:
        """Count an attempt at a trial, and return which it is since the trial last made progress."""
        count, step = self.attempts(trial)
        self.mark(trial, ATTEMPTS, [count + 1, step])
        return count + 1

    def attempts(self, trial: FrozenTrial) -> tuple[int, int]:
        """The attempts at a trial since its newest resume point was written, and the steps before that one."""
        count, step = self.attributes(trial).get(ATTEMPTS, (0, 0))
        newest = newest_step(self.folder(trial))
        return (0, newest) if newest > step else (count, step)

    def owns(self, trial: FrozenTrial) -> bool:
        """Whether no other process has taken the trial over."""
        return self.attributes(trial).get(OWNER) == self.heartbeat.name

    def attributes(self, trial: FrozenTrial) -> dict[str, Any]:
        """A trial's attributes by now."""
        return self.study.get_trials(deepcopy=False)[trial.number].user_attrs

    def running(self) -> list[FrozenTrial]:
        """The trials that run here or elsewhere, or wait for a process, except those that this one leaves to others."""
        return [trial for trial in counted_trials(self.study, TrialState.RUNNING) if trial.number not in self.left]

    def mark(self, trial: FrozenTrial, name: str, value: Any) -> None:
        """Set an attribute of a trial, unless another process has finished it in the meantime."""
        with suppress(UpdateFinishedTrialError):
            writable_trial(self.study_without_sampler, trial).set_user_attr(name, value)

    def tell(self, number: int, state: TrialState, values: list[float] | None = None) -> None:
        """Tell Optuna how a trial ended; only the first time counts."""
        # an exhausted grid would stop Optuna's own loop, which does not run here: duplicates tell it as well
        with suppress(RuntimeError, UpdateFinishedTrialError):
            self.study.tell(number, values, state=state, skip_if_finished=True)


def enqueue_baseline(study: optuna.Study, values: dict[str, Any]) -> None:
    """Have the config's own `values` tried first."""
    if not study.trials:
        study.enqueue_trial(values, skip_if_exists=True)
