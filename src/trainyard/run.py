"""A run is a directory: its config, its provenance, its checkpoints, its curves. Every command starts from one."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from trainyard.build import build
from trainyard.compose import import_beside_own_conf
from trainyard.data.base import DataModule
from trainyard.data.text import Text
from trainyard.directory import RESOLVED, SUMMARY, TOKENIZER
from trainyard.errors import UserError
from trainyard.generation import continued
from trainyard.reliability.files import read_small
from trainyard.reliability.foreign import as_data
from trainyard.reliability.loading import check_fit, load, tensors
from trainyard.reliability.plain import read_config, shown
from trainyard.reliability.seal import own_files
from trainyard.tasks.base import Task


class Run:
    """A training run, opened for reading; `overrides` (key=value) change its config, as data.root=... elsewhere.

    One that someone else made, or changed, is read as data: what its config names must be Trainyard's or torch's own
    classes, unless `trust`.
    """

    def __init__(self, path: str | Path, overrides: Sequence[str] = (), trust: bool = False) -> None:
        self.path, self.overrides = Path(path), list(overrides)
        if not (self.path / RESOLVED).is_file():
            raise UserError(f"{self.path} is not a run: it has no {RESOLVED}")
        self._own = own_files(self.path)  # read once: what was checked is what is used
        self.is_foreign = not trust and self._own is None
        if not self.is_foreign or os.environ.get("TRAINYARD_PACKAGES"):
            import_beside_own_conf()  # a network of one's own

    @cached_property
    def cfg(self) -> DictConfig:
        """The resolved config."""
        config = read_config(self.path / RESOLVED, (self._own or {}).get(RESOLVED))
        cfg = DictConfig(as_data(config, self.path) if self.is_foreign else config)
        cfg.merge_with_dotlist(self.overrides)
        return cfg

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

    def data(self) -> DataModule:
        """The data module of the run, nothing loaded yet."""
        data = build(self.cfg.data, "data")
        if isinstance(data, Text):
            data.tokenizer_file = self.path / TOKENIZER
        return data

    def task(self, checkpoint: str = "best") -> Task:
        """The task with trained weights, in evaluation mode."""
        file = self.path / "checkpoints" / f"{checkpoint}.ckpt"
        if not file.is_file():
            raise UserError(f"{self.path} has no checkpoints/{checkpoint}.ckpt")
        weights = tensors(load(file).get("state_dict"), file)
        with self.answered():
            if self.is_foreign:  # before its config takes more memory than its weights do
                with torch.device("meta"):
                    check_fit(make_task(self.cfg), weights, file)
            task = make_task(self.cfg)
            check_fit(task, weights, file)
            task.load_state_dict(weights)
            return task.eval()

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Say what goes wrong with someone else's run in a sentence, whatever it is."""
        try:
            yield
        except Exception as error:
            if not self.is_foreign or (str(self.path) in str(error) and isinstance(error, UserError)):
                raise
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            words = f"{kind}{shown(error, 300)}"
            raise UserError(f"{self.path} was not made by you, and cannot do what it says ({words})") from error

    @cached_property
    def _predictor(self) -> tuple[Task, DataModule]:
        return self.task(), self.data()

    @torch.inference_mode()
    def predict(self, inputs: Tensor | list[str]) -> Tensor:  # (B, *shape) as the data has them -> (B, num_classes)
        """The probability of each class; images are uint8, texts are strings (or their tokens)."""
        task, data = self._predictor
        if isinstance(inputs, list):
            if not isinstance(data, Text):
                raise UserError(f"{self.path} was not trained on text: it takes a tensor, not strings")
            try:
                inputs = data.encode(inputs)
            except ValueError as error:
                raise UserError(f"{self.path}: {error}") from error
        with self.answered():
            logits = task(data.transform(inputs, None))
        if logits.shape[-1] == 1:
            return torch.cat((1 - logits.sigmoid(), logits.sigmoid()), dim=-1)
        return logits.softmax(dim=-1)

    def generate(
        self, prompt: str = "", max_new_tokens: int | None = None, count: int = 1, seed: int = 0, **sampling: Any
    ) -> list[str]:
        """Texts that begin with the prompt, of a causal language model; see `generation.continued`."""
        task, data = self._predictor
        try:
            with self.answered():
                return continued(task.net, data, prompt, max_new_tokens, count, seed, **sampling)  # pyright: ignore
        except ValueError as error:
            raise UserError(f"{self.path}: {error}") from error


def make_task(cfg: DictConfig, choices: dict[str, str] | None = None) -> Task:
    """Build network, optimizer, scheduler and the task around them; errors name the choice they come from."""
    named = {group: f"{group}={choice}" for group, choice in (choices or {}).items()}
    fits = f"{named.get('model', 'model')} with {named.get('data', 'data')}"
    context, length = cfg.model.get("max_length"), cfg.data.get("max_length")
    if context is not None and length is not None and context < length:
        raise UserError(f"{fits}: data.max_length={length} is longer than model.max_length={context}; lower the first")
    net = build(cfg.model, fits)
    parts = {group: build(cfg[group], named.get(group, group)) for group in ("optimizer", "scheduler")}
    task: Task = build(cfg.task, named.get("task", "task"), net=net, **parts)
    try:
        task.make_optimizer(total_steps=100)  # for their own checks: now, not when a run has begun
    except (TypeError, ValueError) as error:
        names = [named.get(group, group) for group in ("optimizer", "scheduler")]
        raise UserError(f"{' and '.join(names)}: {error}") from error
    return task
