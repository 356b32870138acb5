"""From a config with tune=NAME to a value, its plot and the command that trains with it."""

import json
import logging
import shlex
from functools import partial
from pathlib import Path

import lightning

from trainyard.config.instantiate import instantiate
from trainyard.config.user_conf import user_conf_argument
from trainyard.data.base import DataModule
from trainyard.errors import UserError, train_command
from trainyard.files import write_durably
from trainyard.hardware.settings import configure_torch, describe
from trainyard.runs.directory import RESOLVED
from trainyard.tasks.base import Task
from trainyard.training.devices import process_count
from trainyard.training.factory import make_task_and_data, make_trainer
from trainyard.training.job import Job
from trainyard.training.pseudo_labels import check_labeler
from trainyard.training.setup import set_up
from trainyard.training.tune.bench import Bench, Found

log = logging.getLogger(__name__)


def tune(job: Job) -> None:
    """Look for a value, print it, and write it with a plot beside where the run would be."""
    folder = make_way(job)
    configure_torch(job.cfg.hardware)
    log.info("hardware: %s", describe(job.cfg.hardware))
    search = instantiate(job.cfg.tune, "tune")
    found: Found = search(prepare_bench(job))
    command = command_with(job, found.key, found.value)
    name = f"tune-{job.composed.choices.get('tune')}"
    content = {"command": command, found.key: found.value, **found.values}
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / f"{name}.json", lambda file: file.write(json.dumps(content, indent=1).encode() + b"\n"))
    write_durably(folder / f"{name}.png", partial(found.figure.savefig, format="png", dpi=150))
    log.info("%s\nplot:  %s (values: %s.json)\ntrain: %s", found.said, folder / f"{name}.png", name, command)


def make_way(job: Job) -> Path:
    """The folder of the result; UserError for what cannot be tuned."""
    kind, cfg = job.composed.choices.get("tune"), job.cfg
    if process_count(cfg) > 1:
        raise UserError(
            f"tune={kind} trains in one process, and hardware.devices={cfg.hardware.devices}; leave that out and "
            "use the value with several"
        )
    if (job.path / RESOLVED).exists():
        raise UserError(f"tune={kind}: {job.path} contains a run, of which the value is fixed; start a new one")
    return job.path if job.composed.cfg.run.dir else job.path.with_name(f"{job.path.name}-tune")


def prepare_bench(job: Job) -> Bench:
    """Task and data as for a run; UserError for those that are not of Trainyard's kinds."""
    cfg, kind = job.cfg, job.composed.choices.get("tune")
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    task, data = make_task_and_data(cfg, job.composed.choices, with_weights=True)
    for part, ours in ((task, Task), (data, DataModule)):
        if not isinstance(part, ours):
            raise UserError(
                f"tune={kind} needs a {ours.__name__} of Trainyard, and {type(part).__name__} is none: set its "
                "learning rate or batch size yourself"
            )
    check_labeler(data, cfg)
    data.prepare_data()
    data.setup("fit")
    alone = make_trainer(cfg, [], [], fast_dev_run=True, enable_progress_bar=False, profiler=None)
    set_up(job, task, data, alone, is_new=True)
    return Bench(cfg, task, data)  # pyright: ignore


def command_with(job: Job, key: str, value: float | int) -> str:
    """The command that trains with the value that was found."""
    word = f"{key}={value}" if isinstance(value, int) else f"{key}={value:g}"
    conf = ["--config-dir", folder] if (folder := user_conf_argument()) else []
    left_out = ("tune", key, "run.dir", "check")
    words = [each for each in job.composed.overrides if each.lstrip("+").partition("=")[0] not in left_out]
    words = [each for each in words if not each.lstrip("+").startswith("tune.")]
    return " ".join([train_command(), *map(shlex.quote, [*conf, *words, word])])
