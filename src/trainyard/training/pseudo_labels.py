"""Pseudo-labels (Lee, 2013): the classes that a run's trained network predicts for samples without a label."""

import logging
from pathlib import Path

import numpy as np
import torch
from lightning import LightningDataModule
from omegaconf import DictConfig
from torch import Tensor

from trainyard.data.imdb import IMDB
from trainyard.data.loading.announce import announced
from trainyard.data.loading.arrays import save_array
from trainyard.data.loading.split import NO_LABEL
from trainyard.errors import UserError
from trainyard.inference.predict import predict
from trainyard.runs.directory import PSEUDO_LABELS, RESOLVED
from trainyard.runs.opened import OpenedRun
from trainyard.tasks.classification import Classification

SAME = ("_target_", "classes", "split_seed", "val_fraction", "folds", "fold", "fraction")  # which labels are known
AT_ONCE = 1000  # texts
log = logging.getLogger(__name__)


def open_labeler(data: IMDB, cfg: DictConfig) -> OpenedRun:
    """The run whose predictions are to be the pseudo-labels.

    UserError for one that has learned from other labels: those of samples on which this training validates could come
    back as pseudo-labels of similar ones.
    """
    path = str(data.pseudo_labels)
    if path == "latest":
        raise UserError(
            "data.pseudo_labels=latest could be another run each time; name the directory of a finished run"
        )
    if not (Path(path) / RESOLVED).is_file():
        raise UserError(f"data.pseudo_labels={path} has no {RESOLVED}; name the directory of a finished run")
    run = OpenedRun(path, trust=bool(cfg.trust))
    for key in SAME:
        there, here = (each.data.get(key) for each in (run.cfg, cfg))
        if there != here:
            raise UserError(
                f"data.pseudo_labels={path} was trained with data.{key}={there}, and here it is {here}; it must have "
                "learned from the same labels: train one with the value of here"
            )
    return run


def check_labeler(data: LightningDataModule, cfg: DictConfig) -> None:
    """Raise UserError for what is wrong with the run of `data.pseudo_labels`, before the data is read."""
    if isinstance(data, IMDB) and data.pseudo_labels is not None:
        open_labeler(data, cfg)


def add_pseudo_labels(data: LightningDataModule, cfg: DictConfig, path: Path | None) -> None:
    """Let the data train on its texts without a label by the predictions of the run that it names, if it names one.

    A run that is resumed has them in its directory, `path`.
    """
    if not isinstance(data, IMDB) or data.pseudo_labels is None:
        return
    if path is not None and (path / PSEUDO_LABELS).is_file():
        data.add_pseudo_labels(torch.from_numpy(np.load(path / PSEUDO_LABELS, allow_pickle=False)).long())
        return
    labels = predicted(data, cfg)
    counts = ", ".join(f"{int((labels == index).sum()):,} {name}" for index, name in enumerate(data.classes))
    log.info("pseudo-labels: of %s reviews %s, by %s", f"{len(labels):,}", counts, data.pseudo_labels)
    data.add_pseudo_labels(labels)


def predicted(data: IMDB, cfg: DictConfig) -> Tensor:
    """The classes that the run predicts for the unlabelled texts; UserError if it is confident of none."""
    run = open_labeler(data, cfg)
    task = run.task()
    if not isinstance(task, Classification):
        raise UserError(f"data.pseudo_labels={run.path} is no classification, and predicts no probabilities of classes")
    theirs, texts = run.data(), data.unlabelled_texts()
    with announced(f"predicting the labels of {len(texts):,} texts"):
        parts = [
            predict(task, theirs, texts[start : start + AT_ONCE], device=cfg.hardware.accelerator)
            for start in range(0, len(texts), AT_ONCE)
        ]
        labels = data.choose_pseudo_labels(texts, torch.cat(parts))
    if bool((labels == NO_LABEL).all()):
        raise UserError(
            f"data.pseudo_labels={run.path} predicts no class with a probability of {data.pseudo_confidence}; choose a "
            "smaller data.pseudo_confidence"
        )
    return labels


def write_pseudo_labels(data: LightningDataModule, path: Path) -> None:
    """Keep the pseudo-labels in the directory of their run."""
    labels = data.added_labels if isinstance(data, IMDB) else None
    if labels is not None:
        save_array(path / PSEUDO_LABELS, labels.numpy().astype(np.int8))
