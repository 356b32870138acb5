"""What a sweep leaves in its folder: trials.csv, best.yaml and the plots."""

import csv
import io
import logging
import os
import warnings
from functools import partial
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from trainyard.config.from_run import experiment_from_run, is_portable
from trainyard.errors import UserError
from trainyard.files import write_durably
from trainyard.runs.directory import CHOICES, COMPOSED
from trainyard.sweep.options import Options
from trainyard.sweep.trial_run import TrialRuns
from trainyard.sweep.trials import REASON, best_trial, counted_trials
from trainyard.trust.safe_yaml import read_config

PLOTS = ("optimization_history", "param_importances", "slice", "parallel_coordinate", "intermediate_values", "timeline")
MAX_LEGEND = 10  # entries
log = logging.getLogger(__name__)


def write_artifacts(study: optuna.Study, options: Options, runs: TrialRuns, plots: bool) -> None:
    """Write trials.csv, best.yaml and the plots from the trials so far."""
    options.folder.mkdir(parents=True, exist_ok=True)
    table = trials_csv(counted_trials(study), options, runs)
    write_durably(options.folder / "trials.csv", lambda file: file.write(table.encode()))
    best = best_trial(study)
    if best:
        try:
            experiment = best_experiment(best, options, runs)
            write_durably(options.folder / "best.yaml", lambda file: file.write(experiment.encode()))
        except (OSError, UserError) as error:  # another machine's run, or one that was deleted
            log.warning("no best.yaml: %s", error)
    if plots and counted_trials(study, TrialState.COMPLETE):
        draw_plots(study, options)


def trials_csv(trials: list[FrozenTrial], options: Options, runs: TrialRuns) -> str:
    """One row per trial."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow([options.noun, "state", *options.objectives, "validations", "seconds", *names, "reason", "run"])
    for trial in trials:
        scored = trial.values if trial.state == TrialState.COMPLETE else None
        values = scored or [""] * len(options.objectives)
        table.writerow([
            runs.number(trial), trial.state.name.lower(), *values, max(trial.intermediate_values, default=""),
            round(trial.duration.total_seconds(), 2) if trial.duration else "",
            *(trial.params.get(name, "") for name in names),
            trial.user_attrs.get(REASON, ""), os.path.relpath(runs.folder(trial), options.folder),
        ])  # fmt: skip
    return stream.getvalue()


def best_experiment(trial: FrozenTrial, options: Options, runs: TrialRuns) -> str:
    """The best trial's whole config as an experiment: choices of groups, and the values that differ from theirs."""
    folder = runs.folder(trial)
    choices, config = (read_config(folder / name) for name in (CHOICES, COMPOSED))
    experiment = experiment_from_run(choices, config, is_portable)
    scores = ", ".join(f"{name} {value:.4f}" for name, value in zip(options.objectives, trial.values, strict=True))
    name = f"{options.noun.title()} {runs.number(trial)}"
    head = f"# @package _global_\n# {name}, the best of the study {options.study}: {scores}.\n"
    return head + yaml.safe_dump(experiment, sort_keys=False)


def draw_plots(study: optuna.Study, options: Options) -> None:
    """Optuna's plots with matplotlib, except those for which there are too few trials."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as visualization

    if len(options.objectives) > 1:
        names: tuple[str, ...] = ("pareto_front", "timeline") if len(options.objectives) <= 3 else ("timeline",)
        target: dict[str, Any] = {}
    else:
        names, target = PLOTS, {"target_name": next(iter(options.objectives))}
    for name in names:
        arguments = {} if name in ("timeline", "intermediate_values", "pareto_front") else target
        try:
            with warnings.catch_warnings(), plt.rc_context():
                warnings.simplefilter("ignore")
                axes = getattr(visualization, f"plot_{name}")(study, **arguments)
            first = axes.flat[0] if hasattr(axes, "flat") else axes
            figure = first.figure
            if (legend := first.get_legend()) and len(legend.get_texts()) > MAX_LEGEND:
                legend.remove()  # one line per trial: it would be larger than the picture
            if len(figure.axes) == 1:
                figure.set_size_inches(9, 5)
            save = partial(figure.savefig, dpi=120, bbox_inches="tight", format="png")
            write_durably(options.folder / f"{name}.png", save)
        except Exception as error:  # too few trials for importances, say
            log.debug("%s.png was not drawn: %s", name, error)
        finally:
            plt.close("all")
