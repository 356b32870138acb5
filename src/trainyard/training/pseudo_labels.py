"""Pseudo-labels (Lee, 2013): the classes that a run's trained network predicts for samples without a label."""

import logging

import torch
from lightning import LightningDataModule
from omegaconf import DictConfig

from trainyard.data.imdb import IMDB
from trainyard.errors import UserError
from trainyard.inference.predict import predict
from trainyard.runs.opened import OpenedRun
from trainyard.tasks.classification import Classification

SAME = ("_target_", "classes", "split_seed", "val_fraction", "folds", "fold", "fraction")  # which labels are known
AT_ONCE = 1000  # texts
log = logging.getLogger(__name__)


def labeler(data: LightningDataModule, cfg: DictConfig) -> OpenedRun | None:
    """The run whose predictions are the data's pseudo-labels, if it has any.

    UserError for one that is no classification, or that has learned from other labels: those of samples on which this
    training validates would come back as pseudo-labels of similar ones.
    """
    if not isinstance(data, IMDB) or (path := data.pseudo_labels) is None:
        return None
    if path == "latest":
        raise UserError("data.pseudo_labels=latest would be another run when this one is resumed; name its directory")
    run = OpenedRun(path, trust=bool(cfg.trust))
    for key in SAME:
        there, here = run.cfg.data.get(key), cfg.data.get(key)
        if there != here:
            raise UserError(
                f"data.pseudo_labels={path} was trained with data.{key}={there}, and here it is {here}; it must have "
                "learned from the same labels"
            )
    if not isinstance(run.task(), Classification):
        raise UserError(f"data.pseudo_labels={path} is no classification, which would have probabilities of classes")
    return run


def add_pseudo_labels(data: LightningDataModule, cfg: DictConfig) -> None:
    """Let the data have that run's predictions for its texts without a label; UserError if none is confident."""
    run = labeler(data, cfg)
    if run is None or not isinstance(data, IMDB):
        return
    task, theirs, texts = run.task(), run.data(), data.unlabelled_texts()
    parts = [predict(task, theirs, texts[start : start + AT_ONCE]) for start in range(0, len(texts), AT_ONCE)]
    labels = data.add_pseudo_labels(torch.cat(parts))
    if not len(labels):
        raise UserError(
            f"data.pseudo_labels={run.path} predicts no class with a probability of {data.pseudo_confidence}; choose a "
            "smaller data.pseudo_confidence"
        )
    counts = ", ".join(f"{int((labels == index).sum()):,} {name}" for index, name in enumerate(data.classes))
    log.info("pseudo-labels: of %s reviews %s, by %s", f"{len(texts):,}", counts, run.path)
