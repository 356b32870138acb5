"""What -m does without a search: every combination is a job, trained and tested once, whatever stops the command."""

import hashlib
import json
import logging
from collections import Counter

import optuna
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from trainyard.config.compose import compose
from trainyard.config.override_types import check_override_types
from trainyard.config_keys import flatten
from trainyard.durability.run_lock import is_locked, read_status
from trainyard.errors import UserError
from trainyard.report.groups import group_runs
from trainyard.report.runs import find_runs
from trainyard.report.tables import print_table
from trainyard.runs.directory import SUMMARY
from trainyard.sweep.display import STATE_NAMES
from trainyard.sweep.options import Options
from trainyard.sweep.space import Parameter, Space, quote
from trainyard.sweep.study import fixed_config
from trainyard.sweep.trial_run import TrialRuns
from trainyard.sweep.trials import REASON, REPEATED, counted_trials

DIGITS = 8  # of the digest in a name
MAX_NAME = 60
DATA_FILES = ("data.path", "data.root")  # other files are other jobs, though a run resumes where its files have moved
log = logging.getLogger(__name__)


def check_composes(space: Space) -> None:
    """Raise UserError for a value with which no config can be composed, before the first job is trained."""
    if any(parameter.values() is None for parameter in space.parameters.values()):
        return
    first = {name: values_to_check(parameter)[0] for name, parameter in space.parameters.items()}
    others = [
        {**first, name: value}
        for name, parameter in space.parameters.items()
        for value in values_to_check(parameter)[1:]
    ]
    for values in [first, *others]:
        check_override_types(compose([*space.fixed, *space.overrides(values)]))


def values_to_check(parameter: Parameter) -> list:
    """One number of each type stands for all of them: they are composed alike."""
    values = parameter.values() or []
    if not isinstance(parameter.distribution, CategoricalDistribution):
        return values[:1]
    numbers = {type(value): value for value in reversed(values) if isinstance(value, int | float)}
    return [*numbers.values(), *(value for value in values if not isinstance(value, int | float))]


def name_study(config: DictConfig, space: Space) -> None:
    """Name the study by what varies and what its jobs have in common, so that the same command finds it again."""
    known = {name: parameter.values() for name, parameter in space.parameters.items()}
    values = flatten(OmegaConf.to_container(config, resolve=False))
    own = {key: value for key, value in values.items() if key == "test" or key.startswith(DATA_FILES)}
    content = json.dumps([known, fixed_config(config, space), own], default=str, sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:DIGITS]
    keys = "_".join(key.rpartition(".")[2].replace("/", "-") for key in space.keys)
    chosen = config.hydra.runtime.choices.get("sweep")
    name = keys if chosen in (None, "null") else str(chosen).replace("/", "-")
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweeper.study = f"{name[:MAX_NAME] or 'job'}-{digest}"
        config.hydra.overrides.hydra.append(f"hydra.sweeper.study={quote(config.hydra.sweeper.study)}")  # for the jobs


def print_jobs(options: Options, runs: TrialRuns) -> None:
    """List the jobs and what became of each so far; of a search that draws values, from which."""
    space = runs.space
    points = space.points()
    if points is None or options.is_search:
        drawn = [f"  {name}: {each.distribution}" for name, each in space.parameters.items()]
        log.info("study %s: %d trials, drawn from\n%s", options.study, options.n_trials, "\n".join(drawn))
        return
    log.info("%d job%s in %s", len(points), "s" if len(points) > 1 else "", options.folder)
    for i, point in enumerate(points):
        folder = options.folder / f"{i:04d}"
        state = "running" if is_locked(folder) else read_status(folder).get("state", "")
        log.info("  %04d  %s%s", i, " ".join(space.overrides(point)), f"  ({state})" if state else "")


def repeat_failed(study: optuna.Study) -> None:
    """Have the jobs that failed done again, from their newest resume points."""
    for trial in counted_trials(study, TrialState.FAIL):
        study.set_user_attr(f"{REPEATED}{trial.number}", True)


def say_what_exists(study: optuna.Study, options: Options, runs: TrialRuns) -> None:
    """Say that nothing is left to do, and that finished jobs ran other code than there is now."""
    done = counted_trials(study, TrialState.COMPLETE, TrialState.PRUNED)
    again = "hydra.sweeper.study=NAME trains them again, in a folder of that name"
    if len(done) >= options.n_trials:
        log.info("all %d jobs have ended before; %s", len(done), again)
    if folders := [folder for folder in map(runs.folder, done) if folder.is_dir()]:
        from trainyard.runs.origin import changed_code  # deferred: it imports torch

        if changed := changed_code(folders[0]):
            log.warning("%s and others ended with other code than there is now (%s); %s", folders[0], changed, again)


def print_finished(study: optuna.Study, options: Options, runs: TrialRuns) -> None:
    """Print a table of all finished jobs, and how many did not end; UserError if any failed."""
    trials = counted_trials(study)
    folders = [folder for folder in map(runs.folder, trials) if (folder / SUMMARY).is_file()]
    if folders:
        print_table(group_runs(find_runs(sorted(folders))[0]))
    states = Counter(STATE_NAMES[trial.state] for trial in trials)
    log.info("\n%s", ", ".join(f"{count} {state}" for state, count in states.items()))
    log.info("curves: tensorboard --logdir %s", options.folder)
    failed = [trial for trial in trials if trial.state in (TrialState.FAIL, TrialState.PRUNED)]
    for trial in failed if len(failed) > 1 else ():
        words = " ".join(runs.space.overrides(trial.params))
        log.info("  job %d (%s): %s", runs.number(trial), words, trial.user_attrs.get(REASON, ""))
    if failed:
        raise UserError(
            f"{len(failed)} of {len(trials)} jobs failed: {failed[0].user_attrs.get(REASON, '')}. See "
            f"{runs.log(failed[0])}; the same command tries again those that did not diverge"
        )
