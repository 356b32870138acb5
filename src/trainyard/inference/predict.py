"""The probability of each class, for new inputs."""

import torch
from torch import Tensor

from trainyard.data.base import DataModule
from trainyard.data.text import Text
from trainyard.tasks.base import Task


@torch.inference_mode()
def predict(task: Task, data: DataModule, inputs: Tensor | list[str]) -> Tensor:
    """Inputs (B, *shape) as the dataset stores them, or B texts -> probabilities (B, num_classes).

    Images are uint8. ValueError for texts if the data is not text, and for a text that contains no word.
    """
    if isinstance(inputs, list):
        if not isinstance(data, Text):
            raise ValueError("the network was not trained on text: it takes a tensor, not strings")
        inputs = data.encode(inputs)
    logits = task(data.transform(inputs, None))
    if logits.shape[-1] == 1:
        return torch.cat((1 - logits.sigmoid(), logits.sigmoid()), dim=-1)
    return logits.softmax(dim=-1)
