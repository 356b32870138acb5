"""A run directory, opened for reading: its config, its scores, its data, its trained task."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from omegaconf import DictConfig

from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.override_types import with_overrides
from trainyard.config.user_conf import add_user_modules
from trainyard.config.validate import check_context_length
from trainyard.data.lightning_data import seed_setup
from trainyard.data.loading.hashing import seeded
from trainyard.data.tabular import Tabular
from trainyard.data.text import Text
from trainyard.errors import UserError, printable
from trainyard.files import read_small
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.report.rows import Rows, merged, with_epochs
from trainyard.runs.directory import COLUMNS, RESOLVED, SUMMARY, TOKENIZER
from trainyard.runs.other_data import is_of_data, other_data, split_choice
from trainyard.tasks.base import Task
from trainyard.trust.allowlist import restrict
from trainyard.trust.checkpoint_files import check_same_weights, load_checkpoint, plain_tensors, size_limit
from trainyard.trust.safe_yaml import read_config
from trainyard.trust.signature import read_signed


class OpenedRun:
    """A training run, opened for reading; `overrides` (key=value) change its config, as data.root=... elsewhere.

    data=NAME among them is another dataset of the same classes, to evaluate the run on.

    One that someone else made, or changed, is read as data: what its config names must be Trainyard's or torch's own
    classes, unless `trust`.
    """

    def __init__(self, path: str | Path, overrides: Sequence[str] = (), trust: bool = False) -> None:
        self.path = Path(path)
        self.other_data, self.overrides = split_choice(overrides)
        self.checkpoint = "best"  # whose weights are used
        if not (self.path / RESOLVED).is_file():
            raise UserError(f"{self.path} is not a run: it has no {RESOLVED}")
        self._signed = read_signed(self.path)  # read once: what was checked is what is used
        self.is_foreign = not trust and self._signed is None
        if not self.is_foreign or os.environ.get("TRAINYARD_PACKAGES"):
            add_user_modules()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @cached_property
    def cfg(self) -> DictConfig:
        """The resolved config."""
        config = read_config(self.path / RESOLVED, (self._signed or {}).get(RESOLVED))
        cfg = DictConfig(restrict(config, self.path) if self.is_foreign else config)
        own = [word for word in self.overrides if not (self.other_data and is_of_data(word))]
        return with_overrides(cfg, own, f"{self.path}: ")

    @property
    def summary(self) -> dict[str, Any]:
        """Best and test scores, time, speed. UserError if the run did not get that far."""
        file = self.path / SUMMARY
        if not file.is_file():
            raise UserError(f"{self.path} has no {SUMMARY}: it did not finish")
        try:
            return json.loads(read_small(file))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{file} cannot be read: {error}") from error

    def history(self, by: str = "epoch") -> Rows:
        """What the training logged: a row for each epoch, or `by="step"` for each step that was logged.

        `epoch` counts from 0; where a value was logged several times in an epoch, the last one counts. Scores of the
        test are in `summary`. `history().frame()` is a DataFrame of pandas.
        """
        if by not in ("epoch", "step"):
            raise UserError(f"history has rows by epoch or by step, not by {by}")
        rows = [row for row in read_metrics(self.path) if not any(name.startswith("test/") for name in row)]
        return merged(with_epochs(rows), by)

    def data(self) -> LightningDataModule:
        """The data module of the run, nothing loaded yet."""
        with seeded(0):
            data = seed_setup(instantiate(self.cfg.data, "data"))
        if isinstance(data, Text):
            data.tokenizer_file = self.path / TOKENIZER
        if isinstance(data, Tabular):
            data.columns_file = self.path / COLUMNS
        if not self.other_data:
            return data
        words = [word for word in self.overrides if is_of_data(word)]
        return other_data(self.other_data, words, data, self.cfg.data)

    def task(self, checkpoint: str = "") -> Task:
        """The task with trained weights (of the best epoch; "last": of the end), in evaluation mode."""
        checkpoint = checkpoint or self.checkpoint
        file = self.path / "checkpoints" / f"{checkpoint}.ckpt"
        if not file.is_file():
            raise UserError(f"{self.path} has no checkpoints/{checkpoint}.ckpt")
        with self.explain_errors():
            check_context_length(self.cfg)
            with torch.device("meta"):  # before its weights, or its config, take more memory than they should
                outline = instantiate_task(self.cfg) if self.is_foreign else None
            most = size_limit(outline) if outline else None
            weights = plain_tensors(load_checkpoint(file, most).get("state_dict"), file)
            if outline:
                check_same_weights(outline, weights, file)
            task = instantiate_task(self.cfg)
            check_same_weights(task, weights, file)
            task.load_state_dict(weights)
            return task.eval()

    @contextmanager
    def explain_errors(self) -> Iterator[None]:
        """Turn any error of someone else's run into a UserError."""
        try:
            yield
        except Exception as error:
            if not self.is_foreign or (str(self.path) in str(error) and isinstance(error, UserError)):
                raise
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            text = f"{kind}{printable(error, 300)}"
            raise UserError(f"{self.path} was not made by you, and its config cannot be used ({text})") from error
