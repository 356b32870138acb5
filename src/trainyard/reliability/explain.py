"""What a run that crashed leaves behind, and what its user is told."""

from contextlib import suppress
from pathlib import Path
from traceback import format_exception

import torch

from trainyard.errors import UserError, causes

OUT_OF_MEMORY = (
    "there is not memory enough: halve data.batch_size and double trainer.accumulate_grad_batches (the same result), "
    "or set hardware.precision=bf16-mixed"
)
NO_MEMORY = ("out of memory", "can't allocate memory")  # CUDA's and MPS's words, and those of torch on a CPU
WORKER_KILLED = (
    "a data worker was killed, mostly by the system for want of memory: lower data.num_workers, or what a sample takes"
)


def hint(error: BaseException) -> str:
    """The usual cure of an error, or nothing."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in NO_MEMORY):
        return OUT_OF_MEMORY
    if "DataLoader worker" in str(error) and any(word in str(error) for word in ("killed", "exited unexpectedly")):
        return WORKER_KILLED
    return ""


def leave_word(error: Exception, path: Path) -> None:
    """Write the traceback to crash.txt, and add to the error what is said below it."""
    with suppress(OSError):  # a full disk
        (path / "crash.txt").write_text("".join(format_exception(error)))
    cure = next(filter(None, map(hint, causes(error))), "")  # a logger may have wrapped what a worker's death raised
    words = [cure, "" if isinstance(error, UserError) else f"traceback: {path / 'crash.txt'}"]
    for word in filter(None, [*words, f"go on with: python train.py resume={path}"]):
        error.add_note(word)
