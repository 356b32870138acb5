"""The report of a crash: crash.txt, and the message with its usual fix."""

from pathlib import Path
from traceback import format_exception

import torch

from trainyard.durability.non_finite import NonFiniteLossError
from trainyard.errors import FULL_DISK, UserError, causes, train_command
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
UNUSED = "the network has parameters that a step does not use: set hardware.find_unused_parameters=true"
DISK_FULL = "the disk is full, or a quota is used up: delete what is not needed, or move the run to another disk"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was not enough, that of the machine or of a device."""
    is_typed = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_typed or any(text in str(error) for text in MEMORY_MESSAGES)


def suggest_fix(error: BaseException) -> str:
    """The usual fix of an error, or an empty string."""
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if "DataLoader worker" in str(error) and any(word in str(error) for word in ("killed", "exited unexpectedly")):
        return WORKER_KILLED
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return DISK_FULL
    if "finished reduction in the prior iteration" in str(error):
        return UNUSED
    return ""


def write_crash_report(error: Exception, path: Path) -> None:
    """Write the traceback to crash.txt, and add to the error what is printed below it."""
    text = "".join(format_exception(error)).encode()
    try:
        write_durably(path / "crash.txt", lambda file: file.write(text))
        place = f"traceback: {path / 'crash.txt'}"
    except OSError:  # a full disk
        place = ""
    fix = next(filter(None, map(suggest_fix, causes(error))), "")  # a logger may have wrapped a worker's death
    can_continue = (path / "config.resolved.yaml").is_file() and not isinstance(error, NonFiniteLossError)
    again = f"continue with: {train_command()} resume={path}" if can_continue else ""
    for note in filter(None, [fix, "" if isinstance(error, UserError) else place, again]):
        error.add_note(note)
