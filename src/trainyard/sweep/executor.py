"""Run trials in processes of their own, until the study's budget is used."""

import logging
import signal
import time

from optuna.trial import FrozenTrial

from trainyard.durability.signals import StopSignal
from trainyard.errors import UserError
from trainyard.sweep.display import Display
from trainyard.sweep.options import Options
from trainyard.sweep.outcome import MAX_ATTEMPTS, STOPPED, Outcome
from trainyard.sweep.slots import POLL_WAITING, Slots, slot_environments
from trainyard.sweep.trial_queue import TrialQueue
from trainyard.sweep.trial_run import TrialRuns

log = logging.getLogger(__name__)


class LocalExecutor:
    """Trials in processes of their own: a free slot takes the next trial, none waits for another."""

    def __init__(self, options: Options, runs: TrialRuns, queue: TrialQueue) -> None:
        self.options, self.runs, self.queue = options, runs, queue
        self.until = time.monotonic() + options.timeout

    def run(self) -> None:
        """Run trials until the budget is used; raise Stopped on a signal, UserError if too many trials fail."""
        with (
            StopSignal() as signals,
            Slots(slot_environments(self.options.n_jobs, self.options.slots, self.runs.devices)) as slots,
            Display(self.queue, self.options, self.runs) as display,
        ):
            while self.fill(slots, display) or slots.running or (self.has_time() and self.queue.running()):
                if not slots.running and signals.received is None:
                    display.print_waiting()
                    time.sleep(POLL_WAITING)
                for ended in slots.wait():
                    if ended.code and signals.received is not None:  # the same signal, most likely
                        self.queue.release(ended.job)
                    else:
                        self.record(ended.job, ended.code, display)
                if signals.received is not None or self.runs.failure_message():
                    self.stop(slots)
                    break
                display.update()
        if signals.received is not None:
            log.info("stopped; the same command continues the study")
            raise signals.error()
        if reason := self.runs.failure_message():
            raise UserError(reason)

    def fill(self, slots: Slots, display: Display) -> bool:
        """Start trials in the free slots, and return whether one was started."""
        started = False
        while slots.free and self.has_time() and not self.runs_last_attempt(slots):
            trial = self.queue.claim(is_idle=not slots.running)
            if trial is None:
                break
            if self.queue.begin(trial) > MAX_ATTEMPTS:
                self.finish(trial, self.runs.fatal_outcome(trial), display)
            else:
                slots.start(trial, self.runs.overrides(trial), self.runs.log(trial))
                display.print_start(trial)
                started = True
        return started

    def runs_last_attempt(self, slots: Slots) -> bool:
        """Whether the trial that runs may be what its processes died of: others would die with it, without a fault."""
        return any(self.queue.attempts(trial)[0] == MAX_ATTEMPTS for trial, *_ in slots.running.values())

    def record(self, trial: FrozenTrial, code: int, display: Display) -> None:
        """Record how a trial ended. One that somebody else asked to stop continues, here or in another process."""
        if code in STOPPED:
            self.queue.release(trial)
        else:
            self.finish(trial, self.runs.outcome(self.queue.study, trial, code), display)

    def finish(self, trial: FrozenTrial, outcome: Outcome, display: Display) -> None:
        """Record and print an outcome."""
        self.queue.finish(trial, outcome)
        display.print_outcome(trial, outcome)

    def has_time(self) -> bool:
        """Whether further trials may start."""
        return time.monotonic() < self.until

    def stop(self, slots: Slots) -> None:
        """Have the trials write resume points, and leave them to the next process that wants one."""
        for ended in slots.stop(signal.SIGTERM):
            if ended.code == 0:
                self.queue.finish(ended.job, self.runs.outcome(self.queue.study, ended.job, 0))
            else:
                self.queue.release(ended.job)
