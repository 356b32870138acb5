"""Whether a written program computes what its network computes."""

from collections.abc import Callable, Sequence

import torch
from lightning import LightningDataModule
from torch import Tensor

from trainyard.errors import UserError
from trainyard.inference.predict import predict
from trainyard.tasks.base import Task

LIMIT = 1e-4  # of the difference in fp32


def largest_difference(
    run: Callable[[Tensor], Tensor], task: Task, data: LightningDataModule, batches: Sequence[Tensor]
) -> float:
    """The largest difference of a program's outputs from `Run.predict`'s, over all batches.

    It is relative to the largest value of its prediction, so that one over a vocabulary, whose probabilities are all
    small, is compared as strictly as one over two classes; so it is never below the absolute difference of
    probabilities. UserError if the program fails on a batch.
    """
    worst = 0.0
    for batch in batches:
        expected = predict(task, data, batch, batch_size=len(batch), device="cpu")
        try:
            found = run(batch)
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            raise UserError(f"the exported program fails on inputs of shape {tuple(batch.shape)}: {first}") from error
        if found.shape != expected.shape:
            raise UserError(
                f"the exported program returns {tuple(found.shape)} for inputs of shape {tuple(batch.shape)}, and the "
                f"network {tuple(expected.shape)}"
            )
        difference = (found.double() - expected.double()).abs() / scale(expected.double())
        worst = max(worst, float(difference.nan_to_num(torch.inf).max()))
    return worst


def scale(expected: Tensor) -> Tensor:
    """The largest magnitude of each prediction, or of all of them where each is one number."""
    is_distribution = expected.ndim > 1 and expected.shape[-1] > 1
    size = expected.abs().amax(-1, keepdim=True) if is_distribution else expected.abs().max()
    return size.clamp(min=torch.finfo(torch.float32).tiny)


def check_difference(difference: float, limit: float = LIMIT) -> None:
    """Raise UserError for a program that is not its network."""
    if not difference <= limit:
        raise UserError(
            f"the exported program differs from the network by {difference:.1e} on real samples, more than "
            f"{limit:.0e}, so it was not kept; try another --format"
        )
