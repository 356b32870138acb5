"""Trials and jobs that one of Hydra's launchers runs: in other processes, on other machines, or in this process."""

import logging
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna.trial import FrozenTrial

from trainyard.config.multirun import HERE, set_sweep_folder
from trainyard.distributed.ranks import is_follower
from trainyard.durability.signals import exit_on_signal
from trainyard.errors import UserError, describe_error
from trainyard.sweep.display import Display
from trainyard.sweep.options import Options
from trainyard.sweep.outcome import MAX_ATTEMPTS
from trainyard.sweep.slots import POLL_WAITING
from trainyard.sweep.trial_queue import TrialQueue
from trainyard.sweep.trial_run import TrialRuns
from trainyard.training.launch import hydra_job, hydra_trial

log = logging.getLogger(__name__)


def run_with_launcher(
    options: Options, runs: TrialRuns, queue: TrialQueue, context: HydraContext, config: DictConfig
) -> None:
    """Run trials in batches, with the launcher that hydra/launcher names."""
    set_sweep_folder(config, options.folder)  # absolute: a job elsewhere may begin in another folder
    if (name := config.hydra.runtime.choices["hydra/launcher"]) != HERE:
        submitit = "submitit" in config.hydra.launcher._target_
        printed = f" (what they print: {options.folder}/.submitit)" if submitit else ""
        log.info("%ss of hydra/launcher=%s%s", options.noun, name, printed)
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=hydra_trial, config=config)
    until = time.monotonic() + options.timeout
    with Display(queue, options, runs) as display, exit_on_signal():
        while time.monotonic() < until:
            batch = claim_batch(options, runs, queue, display)
            if not batch and queue.running():
                display.print_waiting()
                time.sleep(POLL_WAITING)
                continue
            if not batch:
                return
            display.update()
            try:
                returns = launcher.launch([runs.overrides(trial) for trial in batch], initial_job_idx=batch[0].number)
            except BaseException as error:  # the launcher's own, or a signal: the same command continues them
                for trial in batch:
                    queue.release(trial, on_purpose=not isinstance(error, Exception))
                raise
            for trial, returned in zip(batch, returns, strict=True):
                failed = returned.status == JobStatus.FAILED
                error = describe_error(returned._return_value) if failed else ""  # its property would raise it
                outcome = runs.outcome(queue.study, trial, int(failed), error)
                queue.finish(trial, outcome)
                display.print_outcome(trial, outcome)
            if reason := runs.failure_message():
                raise UserError(reason)


def claim_batch(options: Options, runs: TrialRuns, queue: TrialQueue, display: Display) -> list[FrozenTrial]:
    """The next trials, `n_jobs` at most; the last attempt at one that its processes died of is a batch of its own."""
    batch: list[FrozenTrial] = []
    while len(batch) < options.n_jobs and (trial := queue.claim(is_idle=not batch)):
        attempt = queue.begin(trial)
        if attempt > MAX_ATTEMPTS:
            outcome = runs.fatal_outcome(trial)
            queue.finish(trial, outcome)
            display.print_outcome(trial, outcome)
            continue
        batch.append(trial)
        if attempt == MAX_ATTEMPTS:
            break
    return batch


def run_here(context: HydraContext, config: DictConfig, runs: TrialRuns) -> None:
    """Run one job after the other in this process, as one of several that torchrun has started, or for check=true."""
    with ExitStack() as held:
        folder = runs.options.folder
        if is_follower() or config.check:  # the first process says where the runs are; of check=true there are none
            folder = Path(held.enter_context(TemporaryDirectory(prefix="trainyard-")))
        set_sweep_folder(config, folder)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=hydra_job, config=config
        )
        for i, point in enumerate(runs.space.points() or []):
            words = [*runs.space.fixed, *runs.space.overrides(point), f"hydra.sweep.subdir={i:04d}"]
            (returned,) = launcher.launch([words], initial_job_idx=i)
            returned.return_value  # noqa: B018  raises the job's error
