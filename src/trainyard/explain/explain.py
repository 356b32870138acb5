"""Explain the predictions of a classifier or a language model, one input at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import torch
from lightning import LightningDataModule
from torch import Tensor

from trainyard.data.base import DataModule
from trainyard.data.text import Text
from trainyard.explain.attribute import attribute
from trainyard.explain.checks import Checks, deletion_areas, rank_correlation, shuffled
from trainyard.explain.classes import class_index, explained_classes
from trainyard.explain.explanation import Explanation
from trainyard.explain.methods import MATRICES, METHODS, choose_method, kind_of
from trainyard.explain.samples import Sample, from_test_split, labeled
from trainyard.explain.scores import differentiable, fitting
from trainyard.explain.subject import Subject
from trainyard.explain.words import read_words
from trainyard.figures.heat_map import to_unit
from trainyard.inference.inputs import Input
from trainyard.inference.predict import find_device
from trainyard.tasks.base import Task, weight_dtype
from trainyard.tasks.classification import Classification
from trainyard.tasks.language import LanguageModel
from trainyard.tasks.ordinal import Ordinal

FEW = 5  # parts, below which orders and ranks tell nothing


class Explainer:
    """Explains inputs by one `method` (see `METHODS`; by default the network's own), for one class.

    `target` is that class, by default the predicted one. With `check`, each explanation is compared with chance and
    with that of a network of shuffled weights. ValueError for a method, a class or an input that does not fit.
    """

    def __init__(
        self,
        task: Task,
        data: LightningDataModule,
        method: str = "",
        target: str | int | None = None,
        check: bool = False,
        device: str = "auto",
    ) -> None:
        if not isinstance(task, Classification | LanguageModel) or not isinstance(data, DataModule):
            raise ValueError(f"{type(task).__name__} has no classes: explain takes classifiers and language models")
        if isinstance(task, Ordinal):
            raise ValueError(
                "Ordinal has one number for all classes: explain takes networks with a logit for each class"
            )
        self.task, self.data, self.net, self.kind = task, data, task.net, kind_of(data)
        self.method = choose_method(method, self.net, self.kind)
        self.classes = explained_classes(task, data)
        self.target = None if target is None else class_index(str(target), self.classes)
        task.to(find_device(device))
        self.random_net = shuffled(self.net) if check else None

    def explain(self, sample: Sample) -> Explanation:
        """Explain one input, whose value is what `DataModule.prepare_inputs` takes (of texts a string)."""
        with differentiable(self.net):
            subject = self.read(sample.value)
            chances = self.probabilities(subject)[0]
            predicted = int(chances.argmax())
            target = predicted if self.target is None else self.target
            values, notes = self.values_of(subject, target)
            checks = self.check(subject, target, values)
        words, stored = subject.words, subject.stored
        return Explanation(
            sample.name, self.method, self.classes[predicted], float(chances[predicted]), self.classes[target],
            float(chances[target]), values.float().cpu(), METHODS[self.method], sample.label,
            image=to_unit(stored) if self.kind == "image" and stored is not None else None,
            words=words.words if words else [],
            numbers=stored if self.kind == "numbers" else None,
            notes=(*((words.note,) if words and words.note else ()), *notes),
            checks=checks,
        )  # fmt: skip

    def read(self, value: Any) -> Subject:
        """The input as the network takes it."""
        if isinstance(self.data, Text):
            if not isinstance(value, str):
                raise ValueError(f"explain takes texts here, not {type(value).__name__}")
            return self.read_text(self.data, value)
        found = self.data.prepare_inputs([value])
        moved = self.data.transform(found.to(self.task.device), None)
        is_prepared = self.kind == "numbers" and moved.shape != found.shape  # of a table: the numbers that it became
        stored = moved[0].cpu() if is_prepared else found[0]
        return Subject(self.net, moved.to(weight_dtype(self.net)), stored=stored)

    def read_text(self, data: Text, text: str) -> Subject:
        """A text, with what a language model needs to predict a word: [SEP] before it, or [MASK] in it."""
        causal = getattr(self.task, "causal", None)
        words, position = read_words(data, text, starts=causal is True), None
        if causal is not None:
            position = len(words.tokens) - 1 if causal else words.masked
            if position is None:
                raise ValueError("a masked language model predicts a hidden word: write [MASK] in its place")
        return Subject(self.net, words.tokens[None].to(self.task.device), words, position)

    def values_of(self, subject: Subject, target: int) -> tuple[Tensor, list[str]]:
        """The values of the parts of an input, and remarks on them."""
        with fitting(subject.inputs):
            return attribute(self.method, subject, target)

    @torch.no_grad()
    def probabilities(self, subject: Subject, inputs: Tensor | None = None) -> Tensor:  # -> (B, num_classes)
        """The probability of each class; of a language model, of each word."""
        with fitting(subject.inputs):
            found = self.task.postprocess(self.net(subject.inputs if inputs is None else inputs))
        return found if subject.position is None else found[:, subject.position]

    def check(self, subject: Subject, target: int, values: Tensor) -> Checks | None:
        """Compare an explanation with chance, and with that of a network of shuffled weights, if that is wanted."""
        if self.random_net is None or self.method in MATRICES or values.numel() < FEW:
            return None
        other, _ = self.values_of(subject._replace(net=self.random_net), target)
        areas = deletion_areas(
            lambda kept: self.probabilities(subject, subject.without(kept))[:, target], values.flatten()
        )
        return Checks(*areas, rank_correlation(values, other))


def explain_each(
    task: Task,
    data: LightningDataModule,
    inputs: Iterable[Input | Sample],
    refuse: Callable[[str], object],
    samples: int = 0,
    **options: Any,
) -> Iterator[Explanation]:
    """The explanation of each input, then of some samples of the test split; `options` are those of `Explainer`.

    `refuse` is called with a sentence for each input that cannot be read, or is none for the network.
    """
    explainer = Explainer(task, data, **options)
    more = from_test_split(explainer.data, explainer.classes, samples) if samples else ()
    for sample in chain(labeled(inputs, explainer.classes), more):
        try:
            yield explainer.explain(sample)
        except ValueError as error:
            name = sample.name if len(sample.name) <= 40 else f"{sample.name[:40]} ..."
            refuse(str(error) if sample.name in str(error) else f"{name}: {error}")
