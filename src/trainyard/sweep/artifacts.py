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
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from trainyard.compose import compose
from trainyard.directory import CHOICES, COMPOSED
from trainyard.errors import UserError
from trainyard.free import flat
from trainyard.reliability.files import read_small, write
from trainyard.reliability.plain import read_config
from trainyard.sweep.job import Jobs
from trainyard.sweep.ledger import REASON, best_of, counted
from trainyard.sweep.options import Options

ASIDE = ("run.", "callbacks.pruning", "test", "trainer.enable_progress_bar", "hardware.threads")
PLOTS = ("optimization_history", "param_importances", "slice", "parallel_coordinate", "intermediate_values", "timeline")
LEGEND = 10  # entries
log = logging.getLogger(__name__)


def write_artifacts(study: optuna.Study, options: Options, jobs: Jobs, plots: bool) -> None:
    """All that the trials so far allow."""
    options.folder.mkdir(parents=True, exist_ok=True)
    trials = counted(study)
    table = trials_csv(trials, options, jobs)
    write(options.folder / "trials.csv", lambda file: file.write(table.encode()))
    best = best_of(study)
    if best:
        try:
            recipe = best_recipe(best, options, jobs)
            write(options.folder / "best.yaml", lambda file: file.write(recipe.encode()))
        except (OSError, UserError) as error:  # another machine's run, or one that was deleted
            log.warning("no best.yaml: %s", error)
    if plots and counted(study, TrialState.COMPLETE):
        draw(study, options)


def trials_csv(trials: list[FrozenTrial], options: Options, jobs: Jobs) -> str:
    """One row a trial."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(["trial", "state", *options.objectives, "validations", "seconds", *names, "reason", "run"])
    for trial in trials:
        scored = trial.values if trial.state == TrialState.COMPLETE else None
        values = scored or [""] * len(options.objectives)
        table.writerow([
            trial.number, trial.state.name.lower(), *values, max(trial.intermediate_values, default=""),
            round(trial.duration.total_seconds(), 2) if trial.duration else "",
            *(trial.params.get(name, "") for name in names),
            trial.user_attrs.get(REASON, ""), os.path.relpath(jobs.folder(trial), options.folder),
        ])  # fmt: skip
    return stream.getvalue()


def best_recipe(trial: FrozenTrial, options: Options, jobs: Jobs) -> str:
    """The best trial's whole config, as choices of groups and the values that differ from theirs: a recipe."""
    folder = jobs.folder(trial)
    chosen = yaml.safe_load(read_small(folder / CHOICES)) or {}
    usual = compose([])
    aside = ("experiment", "sweep")
    groups = {
        group: choice for group, choice in chosen.items()
        if not group.startswith("hydra/") and group not in aside and choice != usual.choices.get(group)
    }  # fmt: skip
    base = flat(OmegaConf.to_container(compose([f"{group}={choice}" for group, choice in groups.items()]).cfg))
    there = flat(read_config(folder / COMPOSED))
    values = {key: value for key, value in there.items() if base.get(key) != value and not key.startswith(ASIDE)}
    body = OmegaConf.create()
    for key, value in values.items():
        OmegaConf.update(body, key, value)
    scores = ", ".join(f"{name} {value:.4f}" for name, value in zip(options.objectives, trial.values, strict=True))
    defaults = {"defaults": [{f"override /{group}": choice} for group, choice in groups.items()]} if groups else {}
    head = f"# @package _global_\n# Trial {trial.number}, the best of the study {options.study}: {scores}.\n"
    return head + yaml.safe_dump({**defaults, **OmegaConf.to_container(body)}, sort_keys=False)  # pyright: ignore


def draw(study: optuna.Study, options: Options) -> None:
    """Optuna's pictures with matplotlib; those that so few trials do not allow are left out."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as pictures

    if len(options.objectives) > 1:
        names: tuple[str, ...] = ("pareto_front", "timeline") if len(options.objectives) <= 3 else ("timeline",)
        more: dict[str, Any] = {}
    else:
        names, more = PLOTS, {"target_name": next(iter(options.objectives))}
    for name in names:
        given = {} if name in ("timeline", "intermediate_values", "pareto_front") else more
        try:
            with warnings.catch_warnings(), plt.rc_context():
                warnings.simplefilter("ignore")
                axes = getattr(pictures, f"plot_{name}")(study, **given)
            first = axes.flat[0] if hasattr(axes, "flat") else axes
            figure = first.figure
            if (legend := first.get_legend()) and len(legend.get_texts()) > LEGEND:
                legend.remove()  # one line a trial: it would be larger than the picture
            if len(figure.axes) == 1:
                figure.set_size_inches(9, 5)
            write(options.folder / f"{name}.png", partial(figure.savefig, dpi=120, bbox_inches="tight", format="png"))
        except Exception as error:  # too few trials for importances, say
            log.debug("%s.png was not drawn: %s", name, error)
        finally:
            plt.close("all")
