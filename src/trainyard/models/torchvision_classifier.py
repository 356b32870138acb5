"""Any of torchvision's classifiers, by its name there."""

from difflib import get_close_matches
from typing import Any

from torch import nn
from torchvision import models
from torchvision.models import get_model, list_models

from trainyard.models.layers.checks import check_image_shape


def torchvision_classifier(name: str, shape: list[int], num_classes: int | None, **options: Any) -> nn.Module:
    """The network `name` with initialized weights; `options` are its own arguments, as `dropout`.

    ValueError for an unknown name, for images that have not three channels, and without a number of outputs.
    """
    if num_classes is None:
        raise ValueError(f"torchvision's {name} needs a number of outputs: data.num_classes or task.num_outputs")
    channels, *_ = check_image_shape(f"torchvision's {name}", shape)
    known = list_models(module=models)
    if name not in known:
        near = " or ".join(get_close_matches(name, known)) or f"{known[0]}, {known[1]} and {len(known) - 2} more"
        raise ValueError(f"model.name={name} is no classifier of torchvision; there are {near}")
    if channels != 3:
        raise ValueError(
            f"torchvision's {name} takes images with 3 channels, and data.shape={list(shape)} has {channels}"
        )
    return get_model(name, num_classes=num_classes, **options)
