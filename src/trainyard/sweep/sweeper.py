"""A sweep from its config to its results: open the study, run trials until its budget is used, report."""

import logging
import warnings
from typing import Any

import optuna
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from trainyard.config_keys import RENAMED
from trainyard.distributed.ranks import find_ranks
from trainyard.durability.signals import Stopped
from trainyard.errors import UserError
from trainyard.hardware.memory_limit import check_memory_limit
from trainyard.logs import log_to_console
from trainyard.report.groups import group_runs
from trainyard.report.runs import find_runs
from trainyard.report.tables import print_table
from trainyard.sweep import jobs
from trainyard.sweep.artifacts import write_artifacts
from trainyard.sweep.display import print_results
from trainyard.sweep.executor import LocalExecutor
from trainyard.sweep.fork_server import start_server
from trainyard.sweep.heartbeat import Heartbeat
from trainyard.sweep.joint import add_recipes, zip_keys
from trainyard.sweep.launcher import run_here, run_with_launcher
from trainyard.sweep.options import Options, is_search, plain, read_options
from trainyard.sweep.refit import Refit
from trainyard.sweep.space import FORMS, Space, read_space
from trainyard.sweep.study import open_study
from trainyard.sweep.trial_queue import TrialQueue, enqueue_baseline
from trainyard.sweep.trial_run import TrialRuns
from trainyard.sweep.trials import best_trial, counted_trials

log = logging.getLogger(__name__)


def sweep(arguments: list[str], context: HydraContext, config: DictConfig) -> float | None:
    """Run the jobs or the study, or continue it; the best score, where there is one objective."""
    log_to_console()
    check_memory_limit()  # for the trials, and the server from which they are forked
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)
    space = read_config_space(config, arguments, context)
    check_names(config, space)
    if config.hydra.sweeper.study is None:
        jobs.name_study(config, space)
    options = read_options(config, space)
    runs = TrialRuns(options, config, space)
    if not options.is_search:
        jobs.check_composes(space)
    if options.dry_run:
        jobs.print_jobs(options, runs)
        return None
    if not options.is_search and (config.check or find_ranks()):
        run_here(context, config, runs)
        return None
    return run_study(options, runs, context, config)


def run_study(options: Options, runs: TrialRuns, context: HydraContext, config: DictConfig) -> float | None:
    """Run what is left of the study, and print the results."""
    space = runs.space
    baseline = baseline_values(config, space) if options.baseline else None
    study = open_study(options, config, space)
    if baseline:
        enqueue_baseline(study, baseline)
    if not options.is_search:
        jobs.repeat_failed(study)
    if options.execution == "process" and (len(counted_trials(study)) < options.n_trials or options.refit):
        start_server()  # it imports for seconds: not before everything is checked
    with Heartbeat(study, options.location, options.grace) as heartbeat:
        queue = TrialQueue(study, space, heartbeat, options.n_trials, runs.folder)
        log.info(introduction(options, study))
        if not options.is_search:
            jobs.say_what_exists(study, options, runs)
        try:
            if options.execution == "process":
                LocalExecutor(options, runs, queue).run()
            else:
                run_with_launcher(options, runs, queue, context, config)
        except (Stopped, UserError):
            write_artifacts(study, options, runs, plots=False)
            raise
        write_artifacts(study, options, runs, options.plots and options.is_search)
        if not options.is_search:
            jobs.print_finished(study, options, runs)
            return None
        if queue.is_exhausted:
            log.info("every combination has been tried")
        print_results(study, runs)
        return conclude(study, options, runs, heartbeat, config.seed)


def conclude(study: optuna.Study, options: Options, runs: TrialRuns, heartbeat: Heartbeat, seed: int) -> float | None:
    """Train the best trial again, where that is asked for; its score, where there is one objective."""
    best = best_trial(study)
    if best is None:
        return None
    if options.refit and (unfinished := counted_trials(study, TrialState.RUNNING)):
        numbers = ", ".join(str(trial.number) for trial in unfinished)
        log.info("no refit yet, trials %s have not ended: left to other processes, or the same command", numbers)
    elif options.refit and (finished := Refit(best, options, runs, heartbeat, seed).run()):
        print_table(group_runs(find_runs(finished)[0]))
    return best.value


def read_config_space(config: DictConfig, arguments: list[str], context: HydraContext) -> Space:
    """The search space of the config and of the words; UserError if a search varies nothing."""
    node = config.hydra.sweeper
    params, zipped, recipes = (plain(node[key]) or [] for key in ("params", "zip", "recipes"))
    space = read_space(dict(params), arguments, context.config_loader)
    space = add_recipes(zip_keys(space, zipped), recipes)
    if not space.parameters and is_search(config):
        raise UserError(f"nothing varies in this sweep: write a key as {FORMS}, or choose one of conf/sweep")
    return space


def check_names(config: DictConfig, space: Space) -> None:
    """Raise UserError for a parameter under a name that it had in an earlier version."""
    for old, new in RENAMED.items():
        if old in space.keys and OmegaConf.select(config, old) is None:
            raise UserError(
                f"{old} is now called {new}. (A study of version 0.1 over {old} cannot be continued; start a new one: "
                "hydra.sweeper.study=...)"
            )


def baseline_values(config: DictConfig, space: Space) -> dict[str, Any]:
    """The config's own values of all parameters; UserError for one that is outside the search space."""
    if joint := [parameter for parameter in space.parameters.values() if len(parameter.keys) > 1]:
        raise UserError(f"hydra.sweeper.baseline: {','.join(joint[0].names)} are set together; leave baseline out")
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
    exist = f"{count} of them exist already, " if count else ""
    nouns = f"{options.noun}s" if options.n_trials > 1 else options.noun
    budget = f"{options.n_trials} {nouns}, {exist}{options.n_jobs} at a time"
    if not options.is_search:
        return f"{budget}\nfolder: {options.folder}  (in NNNN.log: what job NNNN prints)"
    objectives = ", ".join(f"{name} ({mode})" for name, mode in options.objectives.items())
    names = [type(part).__name__ for part in (getattr(study.sampler, "inner", study.sampler), study.pruner)]
    return f"study {options.study}: {budget}; {objectives}; {names[0]}, {names[1]}\nfolder: {options.folder}"
