"""A sweep from its config to its results: open the study, run trials until its budget is used, report."""

import logging
import time
import warnings
from typing import Any

import optuna
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from trainyard.config_keys import RENAMED
from trainyard.durability.signals import Stopped, exit_on_signal
from trainyard.errors import UserError, describe_error
from trainyard.hardware.memory_limit import check_memory_limit
from trainyard.logs import log_to_console
from trainyard.report.groups import group_runs
from trainyard.report.runs import find_runs
from trainyard.report.tables import print_table
from trainyard.sweep.artifacts import write_artifacts
from trainyard.sweep.display import Display, print_results
from trainyard.sweep.executor import LocalExecutor
from trainyard.sweep.fork_server import start_server
from trainyard.sweep.heartbeat import Heartbeat
from trainyard.sweep.options import Options, read_options
from trainyard.sweep.outcome import MAX_ATTEMPTS
from trainyard.sweep.refit import Refit
from trainyard.sweep.slots import POLL_WAITING
from trainyard.sweep.space import Space, read_space
from trainyard.sweep.study import open_study
from trainyard.sweep.trial_queue import TrialQueue, best_trial, counted_trials, enqueue_baseline
from trainyard.sweep.trial_run import TrialRuns
from trainyard.training.launch import hydra_trial

log = logging.getLogger(__name__)


def sweep(arguments: list[str], context: HydraContext, config: DictConfig) -> float | None:
    """Run the study, or continue it; the best score, where there is one objective."""
    log_to_console()
    check_memory_limit()  # for the trials, and the server from which they are forked
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)
    options = read_options(config)
    space = read_space(options.params, arguments)
    check_names(config, space)
    baseline = baseline_values(config, space) if options.baseline else None
    study = open_study(options, config, space)
    if baseline:
        enqueue_baseline(study, baseline)
    if options.execution == "process":
        start_server()  # it imports for seconds: not before everything is checked
    runs = TrialRuns(options, config, space)
    with Heartbeat(study, options.location, options.grace) as heartbeat:
        queue = TrialQueue(study, space, heartbeat, options.n_trials, runs.folder)
        log.info(introduction(options, study))
        try:
            if options.execution == "process":
                LocalExecutor(options, runs, queue).run()
            else:
                run_with_launcher(options, runs, queue, context, config)
        except (Stopped, UserError):
            write_artifacts(study, options, runs, plots=False)
            raise
        write_artifacts(study, options, runs, options.plots)
        if queue.is_exhausted:
            log.info("every combination has been tried")
        print_results(study, options)
        best = best_trial(study)
        if best is None:
            return None
        if options.refit and (unfinished := counted_trials(study, TrialState.RUNNING)):
            numbers = ", ".join(str(trial.number) for trial in unfinished)
            log.info("no refit yet, trials %s have not ended: left to other processes, or the same command", numbers)
        elif options.refit and (finished := Refit(best, options, runs, heartbeat, config.seed).run()):
            print_table(group_runs(find_runs(finished)[0]))
    return best.value


def check_names(config: DictConfig, space: Space) -> None:
    """Raise UserError for a parameter under a name that it had in an earlier version."""
    for old, new in RENAMED.items():
        if old in space.parameters and OmegaConf.select(config, old) is None:
            raise UserError(
                f"{old} is now called {new}. (A study of version 0.1 over {old} cannot be continued; start a new one: "
                "hydra.sweeper.study=...)"
            )


def baseline_values(config: DictConfig, space: Space) -> dict[str, Any]:
    """The config's own values of all parameters; UserError for one that is outside the search space."""
    values = {name: config_value(config, name) for name in space.parameters}
    for name, value in values.items():
        if not space.parameters[name].contains(value):
            raise UserError(f"hydra.sweeper.baseline: {name}={value} of the config is outside the search space")
    return values


def config_value(config: DictConfig, name: str) -> Any:
    """The config's own value of a parameter, or the choice of a group."""
    choices = config.hydra.runtime.choices
    value = choices[name] if name in choices else OmegaConf.select(config, name)
    return str(OmegaConf.to_container(value)).replace(" ", "") if OmegaConf.is_list(value) else value


def introduction(options: Options, study: optuna.Study) -> str:
    """What is going to run, in two lines."""
    count = len(counted_trials(study))
    objectives = ", ".join(f"{name} ({mode})" for name, mode in options.objectives.items())
    names = [type(part).__name__ for part in (getattr(study.sampler, "inner", study.sampler), study.pruner)]
    return (
        f"study {options.study}: {options.n_trials} trials, {f'{count} of them exist already, ' if count else ''}"
        f"{options.n_jobs} at a time; {objectives}; {names[0]}, {names[1]}\nfolder: {options.folder}"
    )


def run_with_launcher(
    options: Options, runs: TrialRuns, queue: TrialQueue, context: HydraContext, config: DictConfig
) -> None:
    """Run trials in batches, with the launcher that hydra/launcher names."""
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=hydra_trial, config=config)
    until = time.monotonic() + options.timeout
    with Display(queue, options) as display, exit_on_signal():
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
