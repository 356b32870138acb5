"""What an exported file says about itself, as texts by name."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from lightning import LightningDataModule

from trainyard.data.images import Images
from trainyard.data.tabular import Tabular
from trainyard.data.text import Text
from trainyard.tasks.base import Task
from trainyard.tasks.language import LanguageModel
from trainyard.tasks.multilabel import Multilabel
from trainyard.tasks.regression import Regression


def describe(
    inputs: Mapping[str, Any], task: Task, data: LightningDataModule, facts: Mapping[str, Any]
) -> dict[str, str]:
    """Names of classes, shape of the inputs, preprocessing, versions; lists as JSON."""
    found = {
        "trainyard_version": version("trainyard"),
        "torch_version": version("torch"),
        "run": str(facts["name"]),
        "input_name": inputs["name"],
        "input_type": inputs["type"],
        "input_shape": json.dumps(inputs["axes"]),
        "output": output(task),
        "classes": json.dumps(facts["classes"], ensure_ascii=False),
        "preprocessing": preprocessing(data),
    }
    if isinstance(data, Text):
        found |= {
            "tokenizer": "tokenizer.json",
            "max_length": str(data.max_length),
            "truncation_side": data.truncation_side,
            "padding_side": data.padding_side,
            "padding_token": "0",
        }
    return found


def output(task: Task) -> str:
    """What the program returns, in words."""
    if isinstance(task, LanguageModel):
        return "the probability of each token of the vocabulary, at each position"
    kinds = {Regression: "the predicted numbers, in the unit of the data", Multilabel: "the probability of each label"}
    known = next((text for base, text in kinds.items() if isinstance(task, base)), "the predictions of the task")
    return "the probability of each class" if getattr(task, "num_classes", None) else known


def preprocessing(data: LightningDataModule) -> str:
    """What is done to an input before and inside of the program, in a sentence."""
    if isinstance(data, Images):
        mean, std = ((value.flatten() / 255).tolist() for value in (data.pixels.mean, data.pixels.std))
        means, stds = (", ".join(f"{each:.4g}" for each in values) for values in (mean, std))
        return f"inside: bytes (0 to 255) divided by 255, less the mean ({means}), divided by the deviation ({stds})"
    if isinstance(data, Text):
        kept = "last" if data.truncation_side == "left" else "first"
        return (
            f"tokenizer.json turns texts into tokens; of longer texts the {kept} {data.max_length} tokens are kept, "
            f"shorter ones are padded with 0 on the {data.padding_side}"
        )
    if isinstance(data, Tabular):
        columns = [
            each.name if each.categories is None else f"{each.name} as its place in ({', '.join(each.categories)})"
            for each in data.encoder.columns
        ]
        return (
            f"inside: numbers scaled, categories as ones and zeros; a row is {', '.join(columns)}; NaN is an empty cell"
        )
    return "none: inputs as the dataset has them"
