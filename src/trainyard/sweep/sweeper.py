"""A sweep, whole: open the study, run trials until its budget is used, say what came of them."""

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
from optuna.trial import TrialState

from trainyard.errors import UserError, say
from trainyard.launch import train_one
from trainyard.logs import log_to_console
from trainyard.reliability.stop import Stopped
from trainyard.report.groups import group
from trainyard.report.runs import find
from trainyard.report.tables import show
from trainyard.sweep.artifacts import write_artifacts
from trainyard.sweep.display import Display, tell_results
from trainyard.sweep.heart import Heart
from trainyard.sweep.job import Jobs
from trainyard.sweep.ledger import Ledger, best_of, counted, first_point
from trainyard.sweep.options import Options, read_options
from trainyard.sweep.processes import Processes
from trainyard.sweep.refit import refit
from trainyard.sweep.space import read_space
from trainyard.sweep.study import open_study

log = logging.getLogger(__name__)


def sweep(arguments: list[str], context: HydraContext, config: DictConfig) -> float | None:
    """Run the study, or go on with it; the best score, where there is one objective."""
    log_to_console()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)
    options = read_options(config)
    space = read_space(options.params, arguments)
    study = open_study(options, config, space)
    if options.baseline:
        first_point(study, space.checked({name: plain(config, name) for name in space.parameters}))
    jobs = Jobs(options, config, space)
    with Heart(study, options.location, options.grace) as heart:
        ledger = Ledger(study, space, heart, options.n_trials, jobs.folder)
        log.info(begun(options, study))
        try:
            if options.execution == "process":
                Processes(options, jobs, ledger).run()
            else:
                launch(options, jobs, ledger, context, config)
        except (Stopped, UserError):  # what there is until then
            write_artifacts(study, options, jobs, plots=False)
            raise
    write_artifacts(study, options, jobs, options.plots)
    if ledger.is_exhausted:
        log.info("every combination has been tried")
    tell_results(study, options)
    best = best_of(study)
    if best is None:
        return None
    if options.refit and counted(study, TrialState.RUNNING):
        log.info("refit is left to the process whose trial ends last")
    elif options.refit:
        show(group(find(refit(best, options, jobs, config.seed))[0]))
    return best.value


def plain(config: DictConfig, name: str) -> Any:
    """The config's own value of a parameter, or the choice of a group."""
    choices = config.hydra.runtime.choices
    value = choices[name] if name in choices else OmegaConf.select(config, name)
    return str(OmegaConf.to_container(value)).replace(" ", "") if OmegaConf.is_list(value) else value


def begun(options: Options, study: optuna.Study) -> str:
    """What is going to happen, in a line."""
    had = len(counted(study))
    watched = ", ".join(f"{name} ({mode})" for name, mode in options.objectives.items())
    names = [type(part).__name__ for part in (getattr(study.sampler, "inner", study.sampler), study.pruner)]
    return (
        f"study {options.study}: {options.n_trials} trials, {f'{had} of them there already, ' if had else ''}"
        f"{options.n_jobs} at a time; {watched}; {names[0]}, {names[1]}\nfolder: {options.folder}"
    )


def launch(options: Options, jobs: Jobs, ledger: Ledger, context: HydraContext, config: DictConfig) -> None:
    """Trials in batches, by the launcher that hydra/launcher names."""
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=train_one, config=config)
    until = time.monotonic() + options.timeout
    with Display(ledger, options) as display:
        while time.monotonic() < until:
            batch = [trial for _ in range(options.n_jobs) if (trial := ledger.next())]
            if not batch and ledger.is_unsure():
                time.sleep(1)
                continue
            if not batch:
                return
            display.update()
            try:
                returns = launcher.launch([jobs.words(trial) for trial in batch], initial_job_idx=batch[0].number)
            except BaseException:  # the launcher's own, or a signal: the same command goes on with them
                for trial in batch:
                    ledger.release(trial)
                raise
            for trial, given in zip(batch, returns, strict=True):
                failed = given.status == JobStatus.FAILED
                error = say(given._return_value) if failed else ""  # its property would raise it
                end = jobs.outcome(ledger.study, trial, int(failed), error)
                ledger.finish(trial, end)
                display.tell(trial, end)
            if reason := jobs.hopeless():
                raise UserError(reason)
