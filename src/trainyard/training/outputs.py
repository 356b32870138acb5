"""Run a network once, on two samples, where it may not fit its task: an output that this cannot score is refused."""

from typing import Any

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils._pytree import tree_map_only

from trainyard.data.loading.hashing import seeded
from trainyard.durability.crash_report import is_out_of_memory
from trainyard.errors import UserError, first_line
from trainyard.tasks.base import Scored, Task, weight_dtype
from trainyard.tasks.classification import Classification
from trainyard.tasks.language import LanguageModel
from trainyard.tasks.modes import modes_kept
from trainyard.tasks.ordinal import Ordinal
from trainyard.training.dry_run import first_batch
from trainyard.training.generators import generators_kept

OWN = "trainyard.models."  # networks that return logits
SAMPLES = 2


def check_outputs(task: Task, data: LightningDataModule, named: str) -> None:
    """Raise UserError, with both shapes, if the task cannot score what its network returns; `data` is set up.

    It runs as in training, where some networks return more than outputs; nothing in it, and no generator, has changed
    afterwards.
    """
    has_logits = isinstance(task, Classification | LanguageModel) and not isinstance(task, Ordinal)
    if has_logits and type(task.net).__module__.startswith(OWN):
        return
    seen: list[Any] = []
    hook = task.net.register_forward_hook(lambda net, inputs, output: seen.append(output))
    statistics = {name: value.clone() for name, value in task.named_buffers()}
    with seeded(0), generators_kept(data):
        batch = first_samples(data, weight_dtype(task.net))
    try:
        eager = torch.compiler.set_stance("force_eager")  # two samples are not worth compiling
        with seeded(0), generators_kept(task.net), torch.no_grad(), eager, modes_kept(task):
            problem = wrong_outputs(task, task.train().score(batch))
    except Exception as error:  # whatever the network or the loss raises
        if is_out_of_memory(error):  # the training will meet it too, and say what to do
            return
        problem = first_line(error)
    finally:
        hook.remove()
        for name, value in task.named_buffers():  # of batch norm
            if name in statistics:
                value.copy_(statistics[name])
    if problem:
        returned = f"returns {described(seen[-1])}" if seen else "cannot be called"
        raise UserError(
            f"{named}: {type(task.net).__name__} {returned} for a batch of {described(batch)}, which "
            f"{type(task).__name__} does not understand: {problem}"
        )


def first_samples(data: LightningDataModule, dtype: torch.dtype) -> Any:
    """Two training samples as a batch, their numbers of the network's type."""
    batch = tree_map_only(Tensor, lambda tensor: tensor[:SAMPLES], first_batch(data))
    return tree_map_only(Tensor, lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor, batch)


def wrong_outputs(task: Task, scored: Scored) -> str:
    """What is wrong with the predictions of a classification, which would train nevertheless; empty if nothing is."""
    classes, found = getattr(task, "num_classes", None), scored.predictions
    if classes is None or found.ndim < 2 or found.shape[1] == classes:
        return ""
    return f"there are {classes} classes, and {found.shape[1]} outputs for each sample"


def described(value: Any) -> str:
    """A value by its shapes, or its type."""
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)}"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return f"[{', '.join(map(described, value))}]"
    if isinstance(value, dict):
        return f"{type(value).__name__} of {', '.join(f'{key} {described(child)}' for key, child in value.items())}"
    return f"a {type(value).__name__}"
