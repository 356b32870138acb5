"""Lightning's checkpoints, written durably and read as plain data."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from trainyard.errors import UserError, first_line
from trainyard.files import write_durably
from trainyard.trust.checkpoint_files import load_checkpoint
from trainyard.trust.plain_state import to_plain

ARGUMENTS = ("hyper_parameters", "datamodule_hyper_parameters")  # of constructors, by save_hyperparameters()


class DurableIO(TorchCheckpointIO):
    """Write checkpoints to a temporary file and rename it; read only whole files of plain data.

    (Lightning writes them in another folder and moves them in, without flushing them to the disk.)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = {name: to_plain(value, name) for name, value in checkpoint.items() if name not in ARGUMENTS}
        content |= {name: readable(checkpoint[name], name) for name in ARGUMENTS if name in checkpoint}
        try:
            write_durably(path, lambda file: torch.save(content, file))
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
            raise cannot_write(path, error) from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: Any = True) -> dict[str, Any]:
        return load_checkpoint(Path(path), map_location=map_location)


def readable(arguments: Any, name: str) -> dict[str, Any]:
    """The arguments that can be read again as data; not modules, say, which the run's config describes."""
    kept = {}
    for key, value in dict(arguments).items():
        with suppress(UserError):
            kept[key] = to_plain(value, f"{name}[{key!r}]")
    return kept


class CheckpointError(UserError):
    """A checkpoint that could not be written."""


def cannot_write(path: Path, error: BaseException) -> CheckpointError:
    """What to raise for a checkpoint that could not be written, with the reason in a few words."""
    known = error if isinstance(error, OSError) and error.strerror else error.__context__
    reason = known.strerror if isinstance(known, OSError) and known.strerror else first_line(error)[:200]
    return CheckpointError(f"{path} cannot be written: {reason}. The file that was there before is intact")
