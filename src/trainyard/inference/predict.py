"""The probability of each class, for new inputs."""

import numpy as np
import torch
from torch import Tensor

from trainyard.data.base import DataModule
from trainyard.data.images import Images
from trainyard.data.text import Text
from trainyard.tasks.base import Task


@torch.inference_mode()
def predict(task: Task, data: DataModule, inputs: Tensor | list[str]) -> Tensor:
    """Inputs (B, *shape) as the dataset stores them, or B texts -> probabilities (B, num_classes).

    ValueError for texts if the data is not text, for a text that contains no word, and for images that are not uint8 of
    the shape that the network was trained on.
    """
    if isinstance(inputs, list):
        if not isinstance(data, Text):
            raise ValueError("the network was not trained on text: it takes a tensor, not strings")
        inputs = data.encode(inputs)
    inputs = torch.from_numpy(inputs) if isinstance(inputs, np.ndarray) else inputs
    if not isinstance(inputs, Tensor):
        raise ValueError(f"predict takes a tensor, an array or a list of texts, not {type(inputs).__name__}")
    if isinstance(data, Images):
        check_images(inputs, data.shape)
    logits = task(data.transform(inputs, None))
    if logits.shape[-1] == 1:
        return torch.cat((1 - logits.sigmoid(), logits.sigmoid()), dim=-1)
    return logits.softmax(dim=-1)


def check_images(images: Tensor, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless these are images as the dataset stores them: others would be normalized wrongly."""
    if images.dtype != torch.uint8:
        raise ValueError(
            f"the images are {images.dtype}, and predict takes uint8 from 0 to 255, as the data stores them; "
            "(255 * images).round().to(torch.uint8) converts floats from 0 to 1"
        )
    if tuple(images.shape[1:]) != tuple(shape):
        raise ValueError(f"the images are {tuple(images.shape)}, and predict takes (N, {', '.join(map(str, shape))})")
