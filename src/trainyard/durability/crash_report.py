"""The report of a crash: crash.txt, and the message with its usual fix."""

from contextlib import suppress
from pathlib import Path
from traceback import format_exception

import torch

from trainyard.durability.non_finite import NonFiniteLossError
from trainyard.errors import UserError, causes, train_command
from trainyard.files import write_durably

OUT_OF_MEMORY = (
    "out of memory: halve data.batch_size and double trainer.accumulate_grad_batches (the same effective batch size), "
    "or set hardware.precision=bf16-mixed"
)
MEMORY_MESSAGES = ("out of memory", "can't allocate memory")  # of CUDA and MPS, and of torch on a CPU
WORKER_KILLED = (
    "a data worker was killed, in most cases by the operating system for lack of memory: lower data.num_workers, or "
    "use less memory per sample"
)


def suggest_fix(error: BaseException) -> str:
    """The usual fix of an error, or an empty string."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in MEMORY_MESSAGES):
        return OUT_OF_MEMORY
    if "DataLoader worker" in str(error) and any(word in str(error) for word in ("killed", "exited unexpectedly")):
        return WORKER_KILLED
    return ""


def write_crash_report(error: Exception, path: Path) -> None:
    """Write the traceback to crash.txt, and add to the error what is printed below it."""
    with suppress(OSError):  # a full disk
        text = "".join(format_exception(error)).encode()
        write_durably(path / "crash.txt", lambda file: file.write(text))
    fix = next(filter(None, map(suggest_fix, causes(error))), "")  # a logger may have wrapped a worker's death
    notes = [fix, "" if isinstance(error, UserError) else f"traceback: {path / 'crash.txt'}"]
    again = "" if isinstance(error, NonFiniteLossError) else f"continue with: {train_command()} resume={path}"
    for note in filter(None, [*notes, again]):
        error.add_note(note)
