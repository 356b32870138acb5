"""The teacher of a distillation: a run's trained network, checked against the student's data."""

import json
import logging
from typing import Any

from lightning import LightningDataModule
from omegaconf import DictConfig

from trainyard.data.loading.hashing import content_digest
from trainyard.data.tabular import Tabular
from trainyard.data.text import MAX_TOKENIZER, Text
from trainyard.errors import UserError
from trainyard.files import read_small
from trainyard.runs.directory import COLUMNS, TOKENIZER
from trainyard.runs.opened import OpenedRun
from trainyard.tasks.classification import Classification
from trainyard.tasks.distillation import Distillation
from trainyard.tasks.ordinal import Ordinal

SAME = (  # keys of the data that both must have alike, where both have them
    "num_classes", "classes", "shape", "mean", "std", "tokenizer", "vocab_size", "max_length", "truncation_side",
    "padding_side",
)  # fmt: skip
log = logging.getLogger(__name__)


def load_teacher(task: Distillation, cfg: DictConfig) -> None:
    """Give the task its teacher; UserError for a run that is no classification, or of other data."""
    path = task.teacher_path
    if path == "latest":
        raise UserError("task.teacher=latest would be another run when this one is resumed; name its directory")
    run = OpenedRun(path, trust=bool(cfg.trust))
    for key in SAME:
        there, here = run.cfg.data.get(key), cfg.data.get(key)
        if there is not None and here is not None and there != here:
            raise UserError(f"task.teacher={path} was trained with data.{key}={there}, and here it is {here}")
    teacher = run.task()
    if not isinstance(teacher, Classification) or isinstance(teacher, Ordinal):
        raise UserError(f"task.teacher={path} is a {type(teacher).__name__}, which has no logits of classes to teach")
    if teacher.num_classes != task.num_classes:
        raise UserError(
            f"task.teacher={path} knows {teacher.num_classes} classes, and this network has {task.num_classes}"
        )
    state = sorted(teacher.net.state_dict().items())
    task.learn_from(teacher, content_digest(*(part for name, value in state for part in (name, value.cpu()))))
    log.info("teacher: %s, %s", path, type(teacher.net).__name__)


def check_preparation(task: Any, data: LightningDataModule) -> None:
    """Raise UserError if the teacher's inputs were made in another way: by another tokenizer, or from other rows."""
    if not isinstance(task, Distillation):
        return
    made: dict[str, tuple[str, str]] = {}
    if isinstance(data, Text):
        made[TOKENIZER] = "tokenizer, in which the tokens stand for other words", data.tokenizer_json()
    if isinstance(data, Tabular):
        made[COLUMNS] = "scaling and categories, learned from other training rows", data.encoder.to_json()
    for name, (what, ours) in made.items():
        file = OpenedRun(task.teacher_path).path / name
        try:
            theirs = json.loads(read_small(file, MAX_TOKENIZER))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"task.teacher={task.teacher_path}: {file} cannot be read ({error})") from error
        if theirs != json.loads(ours):
            raise UserError(
                f"task.teacher={task.teacher_path} has its own {what} ({file}); train on the same data, with the same "
                "data.split_seed"
            )
