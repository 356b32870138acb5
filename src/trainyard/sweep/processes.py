"""Trials in processes of their own, until the study's budget is used."""

import logging
import signal
import time
from collections import Counter

from optuna.trial import FrozenTrial

from trainyard.errors import UserError
from trainyard.reliability.stop import StopSignal
from trainyard.sweep.display import Display
from trainyard.sweep.job import Jobs
from trainyard.sweep.ledger import Ledger
from trainyard.sweep.options import Options
from trainyard.sweep.outcome import AGAIN
from trainyard.sweep.slots import Slots, environments

ATTEMPTS = 3  # at one trial that somebody else asks to stop
log = logging.getLogger(__name__)


class Processes:
    """Trials in processes of their own: a slot that is free takes the next one, none waits for another."""

    def __init__(self, options: Options, jobs: Jobs, ledger: Ledger) -> None:
        self.options, self.jobs, self.ledger = options, jobs, ledger
        self.until = time.monotonic() + options.timeout
        self.attempts: Counter[int] = Counter()

    def run(self) -> None:
        """Until the budget is used, or a signal asks to stop (Stopped), or too much fails (UserError)."""
        with (
            StopSignal() as signals,
            Slots(environments(self.options.n_jobs, self.options.slots)) as slots,
            Display(self.ledger, self.options) as display,
        ):
            while self.fill(slots) or slots.running or (self.has_time() and self.ledger.is_unsure()):
                for ended in slots.wait():
                    if ended.code and signals.received is not None:  # the same signal, most likely
                        self.ledger.release(ended.job)
                    else:
                        self.settle(ended.job, ended.code, display)
                if signals.received is not None or self.jobs.hopeless():
                    self.leave(slots)
                    break
                display.update()
        if signals.received is not None:
            log.info("stopped; the same command goes on with the study")
            raise signals.error()
        if reason := self.jobs.hopeless():
            raise UserError(reason)

    def fill(self, slots: Slots) -> bool:
        """Start trials in the free slots; whether one was started."""
        started = False
        while slots.free and self.has_time() and (trial := self.ledger.next()):
            self.attempts[trial.number] += 1
            slots.start(trial, self.jobs.words(trial), self.jobs.log(trial))
            started = True
        return started

    def settle(self, trial: FrozenTrial, code: int, display: Display) -> None:
        """Write down how a trial ended. One that somebody else asked to stop goes on, twice at most."""
        if code in AGAIN and self.attempts[trial.number] < ATTEMPTS:
            self.ledger.release(trial)
            return
        end = self.jobs.outcome(self.ledger.study, trial, code)
        self.ledger.finish(trial, end)
        display.tell(trial, end)

    def has_time(self) -> bool:
        """Whether further trials may begin."""
        return time.monotonic() < self.until

    def leave(self, slots: Slots) -> None:
        """Have the trials write resume points, and leave them to whoever comes next."""
        for ended in slots.stop(signal.SIGTERM):
            if ended.code == 0:
                self.ledger.finish(ended.job, self.jobs.outcome(self.ledger.study, ended.job, 0))
            else:
                self.ledger.release(ended.job)
