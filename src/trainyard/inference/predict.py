"""What a trained network says about new inputs."""

from typing import Any

import torch
from lightning import LightningDataModule
from torch import Tensor

from trainyard.data.base import DataModule
from trainyard.tasks.base import Task


@torch.inference_mode()
def predict(
    task: Task, data: LightningDataModule, inputs: Any, batch_size: int | None = None, device: str = "auto"
) -> Tensor:
    """N inputs as the data module takes them (`prepare_inputs`) -> predictions (N, ...) of the task (`postprocess`).

    They are computed in batches of `batch_size`, by default the data's `eval_batch_size`, on `device`: a name that
    torch knows, or `auto`, an accelerator if there is one. The predictions are on the CPU. ValueError for inputs of a
    kind or shape that the network was not trained on.
    """
    best = torch.accelerator.current_accelerator(check_available=True) or "cpu"
    place = torch.device(best if device == "auto" else device)
    known = data if isinstance(data, DataModule) else None  # any other prepares its samples in a way of its own
    found: Tensor = known.prepare_inputs(inputs) if known else torch.as_tensor(inputs)
    if not len(found):
        raise ValueError("there is nothing to predict: no input was given")
    size = batch_size or (known.eval_batch_size if known else len(found))
    task.to(place)
    dtype = next((weight.dtype for weight in task.parameters()), torch.float32)
    predictions = []
    for batch in found.split(size):
        moved = known.transform(batch.to(place), None) if known else batch.to(place)
        try:
            outputs = task(moved.to(dtype) if moved.is_floating_point() else moved)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            shape = tuple(found.shape)
            raise ValueError(f"inputs {shape} of {found.dtype} do not fit the network: {error}") from error
        predictions.append(task.postprocess(outputs).cpu())
    return torch.cat(predictions)
