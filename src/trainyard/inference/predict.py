"""What a trained network says about new inputs."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from lightning import LightningDataModule
from torch import Tensor, nn

from trainyard.data.base import DataModule
from trainyard.data.text import Text
from trainyard.errors import first_line
from trainyard.inference.batches import batches
from trainyard.inference.inputs import Input, Inputs, short_name
from trainyard.inference.preprocessing import Words, count_words
from trainyard.tasks import classification
from trainyard.tasks.base import Task, weight_dtype
from trainyard.tasks.language import LanguageModel
from trainyard.tasks.replaced_token_detection import ReplacedTokenDetection


class Prediction(NamedTuple):
    """What the network says about one input."""

    input: Input
    output: Tensor  # what the task predicts: the probability of each class, the values of a regression
    words: Words | None = None  # of a text


class Predictor:
    """A trained network on a device, with what comes before it (`data`) and after it (the task's `postprocess`).

    `device` is a name that torch knows, or `auto`, an accelerator if there is one. ValueError if it is not there.
    """

    def __init__(self, task: Task, data: LightningDataModule, device: str = "auto") -> None:
        self.device = find_device(device)
        self.task = task.to(self.device)
        self.data = data if isinstance(data, DataModule) else None  # any other prepares its samples in a way of its own

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """A batch as the dataset stores it -> the predictions (B, ...), on the CPU.

        ValueError for inputs of a kind or shape that the network was not trained on.
        """
        inputs = network_inputs(self.task, self.data, batch, self.device)
        try:
            outputs = self.task(inputs)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            shape = tuple(batch.shape)
            raise ValueError(f"inputs {shape} of {batch.dtype} do not fit the network: {error}") from error
        return self.task.postprocess(outputs).cpu()


def network_inputs(net: nn.Module, data: DataModule | None, batch: Tensor, device: torch.device) -> Tensor:
    """A batch as the dataset stores it, as the network takes it: transformed, and of the type of its weights."""
    moved = batch.to(device)
    moved = data.transform(moved, None) if data else moved
    return moved.to(weight_dtype(net)) if moved.is_floating_point() else moved


def find_device(name: str) -> torch.device:
    """The device of that name; `auto` is an accelerator if there is one. ValueError if it is not there."""
    if name == "auto":
        return torch.device(torch.accelerator.current_accelerator(check_available=True) or "cpu")
    try:
        device = torch.device("cuda" if name == "gpu" else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device={name} cannot be used ({first_line(error)}); use auto or cpu") from error
    return device


def predict(
    task: Task, data: LightningDataModule, inputs: Any, batch_size: int | None = None, device: str = "auto"
) -> Tensor:
    """N inputs as the data module takes them (`prepare_inputs`) -> predictions (N, ...) of the task (`postprocess`).

    They are computed in batches of `batch_size`, by default the data's `eval_batch_size`, on `device` (of `Predictor`).
    The predictions are on the CPU. ValueError for inputs of a kind or shape that the network was not trained on.
    """
    predictor = Predictor(task, data, device)
    known = predictor.data
    found: Tensor = known.prepare_inputs(inputs) if known else torch.as_tensor(inputs)
    if not len(found):
        raise ValueError("there is nothing to predict: no input was given")
    size = batch_size or (known.eval_batch_size if known else len(found))
    return torch.cat([predictor(batch) for batch in found.split(size)])


def predict_each(
    task: Task, data: LightningDataModule, inputs: Inputs, batch_size: int | None = None, device: str = "auto"
) -> Iterator[Prediction]:
    """The prediction of each input that can be read, as it is computed; `inputs.refuse` is told of the others.

    A text of which no word is known is refused: what the network says about it means nothing.
    """
    refuse_language_model(task)
    predictor = Predictor(task, data, device)
    size = batch_size or getattr(data, "eval_batch_size", 500)
    for chunk, tensor in batches(data, inputs, size, inputs.refuse, is_slow=inputs.kind == "image"):
        counts = count_words(data, [each.value for each in chunk]) if isinstance(data, Text) else [None] * len(chunk)
        for each, output, words in zip(chunk, predictor(tensor), counts, strict=True):
            if words and 0 < words.count == words.unknown:
                which = "its only word is" if words.count == 1 else f"all of its {words.count} words are"
                inputs.refuse(f"{short_name(each)}: {which} unknown to the tokenizer; a prediction would mean nothing")
            elif not output.isfinite().all():
                inputs.refuse(f"{short_name(each)}: the network's outputs are not finite (nan or inf)")
            else:
                yield Prediction(each, output, words)


def refuse_language_model(task: Task) -> None:
    """Raise ValueError for a task that has no classes to predict."""
    if isinstance(task, ReplacedTokenDetection):
        raise ValueError(
            f"{type(task.net).__name__} finds tokens that its own generator has replaced, and has no classes to "
            "predict; trainyard evaluate RUN tells how many it finds, and model=bert pretrained=RUN trains a classifier"
        )
    if isinstance(task, LanguageModel):
        raise ValueError(
            f"{type(task.net).__name__} is a language model, which has no classes to predict; trainyard generate RUN "
            "continues a text, trainyard predict RUN fills in each [MASK] of a text where the network was trained on "
            "masked ones, and trainyard evaluate RUN tells the perplexity"
        )


def class_names(task: Task, data: Any) -> list[str] | None:
    """The names of the classes that a task's predictions are probabilities of; None for any other task."""
    return classification.class_names(task, data) if isinstance(task, classification.Classification) else None
