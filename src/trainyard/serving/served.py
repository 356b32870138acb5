"""A trained network that answers: inputs of a request are prepared one by one, and computed in batches."""

import logging
import math
from collections.abc import Iterable, Sequence
from copy import copy
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning import LightningDataModule
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from trainyard.data.loading.decode import FORMATS, to_tensor
from trainyard.data.tabular import Tabular
from trainyard.data.text import Text
from trainyard.errors import printable
from trainyard.inference.batches import prepare
from trainyard.inference.inputs import Inputs
from trainyard.inference.predict import Predictor, class_names, refuse_language_model
from trainyard.inference.preprocessing import Words, count_words, describe_preprocessing
from trainyard.serving.limits import Limits, RefusedError
from trainyard.tasks.base import Task

log = logging.getLogger(__name__)
DEPTH = 4  # of lists in lists of numbers


class Prepared(NamedTuple):
    """An input as the dataset stores its own."""

    tensor: Tensor  # (C, H, W) uint8, (T) tokens, numbers
    text: str = ""
    words: Words | None = None  # of the text


class Served:
    """The network of a run on a device. ValueError for one that predicts nothing about a single input."""

    def __init__(self, task: Task, data: LightningDataModule, device: str, limits: Limits) -> None:
        refuse_language_model(task)
        self.task, self.limits = task, limits
        self.data: Any = copy(data)
        if isinstance(data, Text):
            self.data.kept_tokenizer = data.saved_tokenizer()  # which each text would read again
        self.predictor = Predictor(task, self.data, device)
        self.kind = Inputs(data, ()).kind
        self.columns: list[str] = data.columns if isinstance(data, Tabular) else []
        self.shape: tuple[int, ...] = (len(self.columns),) if self.columns else tuple(getattr(data, "shape", ()))
        self.labels = class_names(task, data)
        self.network = type(task.net).__name__
        self.preprocessing = describe_preprocessing(self.data)

    def input_facts(self) -> dict[str, Any]:
        """What an input is: its kind, its shape and, of a table, the columns."""
        columns = {"columns": self.columns} if self.columns else {}
        return {"kind": self.kind, "shape": list(self.shape), **columns}

    def prepare(self, values: Sequence[Any]) -> list[Prepared]:
        """The inputs of a request; RefusedError, with the number of a bad one if there are several. For any thread."""
        found, left = [], 2 * self.limits.pixels
        for number, value in enumerate(values, start=1):
            try:
                if self.kind == "image":
                    image, pixels = read_image(value, self.shape, min(left, self.limits.pixels))
                    found.append(Prepared(image))
                    left -= pixels
                else:
                    read = {"text": self.read_text, "row of cells": self.read_cells}.get(self.kind, self.read_numbers)
                    found.append(read(value))
            except RefusedError as error:
                if len(values) == 1:
                    raise
                raise RefusedError(error.status, f"input {number}: {error}") from error
        return found

    def read_text(self, text: Any) -> Prepared:
        """A text of which the tokenizer knows a word."""
        check_text(text, self.limits.characters)
        (words,) = count_words(self.data, [text])
        if words.count == words.unknown:
            why = f"all of its {words.count} words are unknown to the tokenizer" if words.count else "it has no word"
            raise RefusedError(422, f"the text cannot be predicted: {why}")
        return Prepared(self.data.encode([text])[0], text, words)

    def read_cells(self, values: Any) -> Prepared:
        """A row of the table, in the order of its columns."""
        if not isinstance(values, list) or any(isinstance(cell, list | dict | bool) for cell in values):
            raise RefusedError(422, "`values` must be a list of numbers, words and null")
        if any(isinstance(cell, str) and len(cell) > self.limits.characters for cell in values):
            raise RefusedError(413, f"a cell has more than {self.limits.characters:,} characters")
        try:
            return Prepared(self.data.prepare_inputs([values])[0])
        except (ValueError, OverflowError) as error:
            raise RefusedError(422, printable(error, 300)) from error

    def read_numbers(self, values: Any) -> Prepared:
        """Numbers in the shape that the network takes."""
        numbers = list(flat(values))
        if len(numbers) != (wanted := math.prod(self.shape) if self.shape else len(numbers)) or not numbers:
            raise RefusedError(422, f"the input has {len(numbers)} numbers, and the network takes {wanted or 'some'}")
        found = np.array(numbers).reshape(self.shape or (-1,))
        if not np.isfinite(found).all():
            raise RefusedError(422, "the numbers must be finite")
        try:
            return Prepared(prepare(self.data, [found])[0])
        except ValueError as error:
            log.warning("numbers of shape %s: %s", list(found.shape), error)
            raise RefusedError(422, f"numbers of shape {list(found.shape)} do not fit the network") from error

    def predict(self, batch: list[Prepared]) -> list[Tensor | RefusedError]:
        """What the network says about each input. For one thread at a time."""
        answers: dict[int, Tensor | RefusedError] = {}
        for places in self.groups(batch):
            tensors = [batch[place].tensor for place in places]
            inputs = self.data.pad(tensors) if isinstance(self.data, Text) else torch.stack(tensors)
            try:
                outputs: list[Tensor | RefusedError] = list(self.predictor(inputs))
            except ValueError as error:
                log.warning("inputs of shape %s: %s", list(inputs.shape), error)
                sentence = f"inputs of shape {list(inputs.shape[1:])} do not fit the network"
                outputs = [RefusedError(422, sentence)] * len(places)
            answers.update(zip(places, map(finite, outputs), strict=True))
        return [answers[place] for place in range(len(batch))]

    def groups(self, batch: list[Prepared]) -> Iterable[list[int]]:
        """The places of the inputs that fit into one tensor: all, unless the data says nothing about shapes."""
        if isinstance(self.data, Text):
            return [list(range(len(batch)))]
        found: dict[Any, list[int]] = {}
        for place, each in enumerate(batch):
            found.setdefault((each.tensor.shape, each.tensor.dtype), []).append(place)
        return found.values()


def finite(output: Tensor | RefusedError) -> Tensor | RefusedError:
    """An output, refused if it is nan or inf, which JSON does not have."""
    if isinstance(output, Tensor) and not output.isfinite().all():
        return RefusedError(422, "the network's outputs are not finite (nan or inf) for this input")
    return output


def read_image(content: bytes, shape: tuple[int, ...], most_pixels: int) -> tuple[Tensor, int]:  # (C, H, W) uint8
    """The image in a file's content (of several frames the first), and its pixels; RefusedError for any other file."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            pixels, size = image.width * image.height, f"{image.width:,} x {image.height:,}"
            if pixels > most_pixels:
                raise RefusedError(413, f"the image of {size} pixels has more than {most_pixels:,}; scale it down")
            return to_tensor(image, shape), pixels
    except (RefusedError, torch.OutOfMemoryError):
        raise
    except UnidentifiedImageError as error:
        raise RefusedError(415, f"the file is no image; the network takes {', '.join(FORMATS)}") from error
    except (MemoryError, Image.DecompressionBombError) as error:
        raise RefusedError(413, f"the image has too many pixels; {most_pixels:,} is the limit") from error
    except Exception as error:  # bytes of a stranger: Pillow's decoders raise many kinds
        raise RefusedError(422, f"the image cannot be read ({printable(error, 200)}); repair it") from error


def check_text(text: Any, most: int) -> None:
    """Raise RefusedError for what is no text, or too long."""
    if not isinstance(text, str):
        raise RefusedError(422, f"a text must be a string, not {type(text).__name__}")
    if len(text) > most:
        raise RefusedError(413, f"the text has {len(text):,} characters, and {most:,} is the limit")
    if not text.strip():
        raise RefusedError(422, "the text is empty")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RefusedError(422, "the text contains a null character, or half of a surrogate pair; send plain text")


def flat(values: Any, depth: int = 0) -> Iterable[float]:
    """The numbers in lists of numbers; RefusedError for anything else."""
    if isinstance(values, list) and depth < DEPTH:
        for value in values:
            yield from flat(value, depth + 1)
    elif isinstance(values, int | float) and not isinstance(values, bool) and depth:
        try:
            yield float(values)
        except OverflowError as error:
            raise RefusedError(422, "a number is too large; the numbers must be finite") from error
    else:
        raise RefusedError(422, "`values` must be a list of numbers")
